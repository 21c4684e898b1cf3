use serde_json::json;

use super::*;

fn told(spec: &Value) -> Vec<String> {
    let object = json!({"apiVersion": "hookgate.dev/v1alpha1", "kind": "WebhookSource", "metadata": {"name": "a"}, "spec": spec});
    validate(Kind::Source, &object).iter().map(ToString::to_string).collect()
}

#[test]
fn both_schemas_compile() {
    for kind in [Kind::Source, Kind::Provider] {
        compiled(kind).as_ref().expect("every keyword and rule is understood");
    }
}

#[test]
fn every_pattern_has_its_sentence() {
    fn walk(schema: &Schema) {
        if let Some(pattern) = &schema.pattern {
            assert!(crate::api::pattern::ALL.iter().any(|known| known.signs == pattern.as_str()), "{pattern}");
        }
        let inner = [schema.items.as_deref(), schema.additional.as_deref()];
        schema.properties.values().chain(inner.into_iter().flatten()).for_each(walk);
    }
    for kind in [Kind::Source, Kind::Provider] {
        walk(compiled(kind).as_ref().expect("a schema"));
    }
}

#[test]
fn a_fault_is_told_once_with_value_and_advice() {
    assert_eq!(
        told(&json!({"provider": "xosum", "verification": {"tolerance": "48h"}})),
        ["spec.verification.tolerance: \"48h\" is not allowed: tolerance must be from 1s to 24h"]
    );
    assert_eq!(
        told(&json!({"provider": "xosum", "verification": {"tolerance": "1.5h"}})),
        [
            "spec.verification.tolerance: \"1.5h\" is not allowed: write a duration such as 5m, 1h30m or 500ms, without fractions"
        ]
    );
    let long = told(&json!({"provider": "xosum", "routing": {"stream": "a.".repeat(60)}}));
    assert!(long[0].len() < 200 && long[0].contains("a.a.…\""), "{long:?}");
}

#[test]
fn rules_are_left_out_where_what_they_read_is_broken() {
    let both = json!({
        "provider": "xosum",
        "verification": {"method": "none", "secretRefs": "none"},
        "routing": {"rules": [{"subject": "a"}]},
    });
    assert_eq!(
        told(&both),
        [
            "spec.verification.secretRefs: \"none\" is not allowed: write a list",
            "spec.routing.rules[0]: a rule needs include or filter: a rule for every event is routing.subject",
        ]
    );
}
