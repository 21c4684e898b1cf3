use super::*;

#[test]
fn both_schemas_compile() {
    for kind in [Kind::Source, Kind::Provider] {
        compiled(kind).as_ref().expect("every keyword and rule is understood");
    }
}
