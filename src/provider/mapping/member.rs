//! The members of `conversation/v1` that a definition may set, in the order of the schema.

use super::shape::Shape;

/// The member that holds whatever the vendor's user attached.
pub(super) const METADATA: &str = "metadata";

/// A member of `conversation/v1`.
#[derive(Debug)]
pub(super) struct Target {
    /// As definitions write it.
    pub name: &'static str,
    /// Where it stands.
    pub section: Section,
    pub shape: Shape,
}

/// A part of the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    /// Before `kind`.
    Head,
    /// After it.
    Top,
    Agent,
    Cost,
    Transcript,
    Analysis,
}

/// A member of a person, a file or a turn.
#[derive(Debug)]
pub(super) struct Member {
    pub name: &'static str,
    pub shape: Shape,
    /// It makes the person, the file or the turn: without any such member there is none.
    pub makes: bool,
}

const fn target(name: &'static str, section: Section, shape: Shape) -> Target {
    Target { name, section, shape }
}

const fn member(name: &'static str, shape: Shape, makes: bool) -> Member {
    Member { name, shape, makes }
}

const DIRECTIONS: &[&str] = &["inbound", "outbound", "internal"];
const CHANNELS: &[&str] = &["phone", "web", "video"];
const FORMATS: &[&str] = &["plain", "diarized"];
const ROLES: &[&str] = &["caller", "callee", "host", "attendee"];
const TYPES: &[&str] = &["human", "bot"];
const SIDES: &[&str] = &["internal", "external"];

/// All but people, files and turns. `occurredAt` is the event's time, and `kind` the mapping's.
pub(super) static TARGETS: [Target; 39] = [
    target("id", Section::Head, Shape::Id),
    target("startedAt", Section::Top, Shape::Time),
    target("answeredAt", Section::Top, Shape::Time),
    target("endedAt", Section::Top, Shape::Time),
    target("durationSeconds", Section::Top, Shape::Duration),
    target("direction", Section::Top, Shape::Closed(DIRECTIONS)),
    target("channel", Section::Top, Shape::Closed(CHANNELS)),
    target("status", Section::Top, Shape::Text),
    target("endReason", Section::Top, Shape::Text),
    target("endedBy", Section::Top, Shape::Text),
    target("voicemail", Section::Top, Shape::Flag),
    target("title", Section::Top, Shape::Text),
    target("summary", Section::Top, Shape::Text),
    target("campaign", Section::Top, Shape::Text),
    target("parentId", Section::Top, Shape::Id),
    target("tags", Section::Top, Shape::Texts),
    target("links", Section::Top, Shape::Texts),
    target(METADATA, Section::Top, Shape::Object),
    target("agent.id", Section::Agent, Shape::Id),
    target("agent.name", Section::Agent, Shape::Text),
    target("cost.amount", Section::Cost, Shape::Amount),
    target("cost.currency", Section::Cost, Shape::Named),
    target("cost.unit", Section::Cost, Shape::Named),
    target("transcript.id", Section::Transcript, Shape::Id),
    target("transcript.uri", Section::Transcript, Shape::Text),
    target("transcript.text", Section::Transcript, Shape::Text),
    target("transcript.format", Section::Transcript, Shape::Closed(FORMATS)),
    target("transcript.language", Section::Transcript, Shape::Text),
    target("transcript.speakers", Section::Transcript, Shape::List),
    target("analysis.summary", Section::Analysis, Shape::Text),
    target("analysis.mood", Section::Analysis, Shape::Text),
    target("analysis.score", Section::Analysis, Shape::Score),
    target("analysis.outcome", Section::Analysis, Shape::Text),
    target("analysis.classification", Section::Analysis, Shape::Text),
    target("analysis.sentiment", Section::Analysis, Shape::Any),
    target("analysis.interests", Section::Analysis, Shape::Any),
    target("analysis.actionItems", Section::Analysis, Shape::Any),
    target("analysis.topics", Section::Analysis, Shape::Any),
    target("analysis.data", Section::Analysis, Shape::Any),
];

/// What is known of a person.
pub(super) static PERSON: [Member; 8] = [
    member("id", Shape::Id, true),
    member("role", Shape::Open(ROLES), false),
    member("type", Shape::Closed(TYPES), false),
    member("side", Shape::Closed(SIDES), false),
    member("name", Shape::Text, true),
    member("phoneNumber", Shape::Text, true),
    member("email", Shape::Text, true),
    member("attributes", Shape::Rest, true),
];

/// What is known of a file.
pub(super) static FILE: [Member; 8] = [
    member("uri", Shape::Text, true),
    member("durationSeconds", Shape::Duration, true),
    member("sizeBytes", Shape::Number, true),
    member("status", Shape::Text, true),
    member("channel", Shape::Named, false),
    member("mediaType", Shape::MediaType, false),
    member("startedAt", Shape::Time, true),
    member("expiresAt", Shape::Time, false),
];

/// What is known of a turn.
pub(super) static TURN: [Member; 6] = [
    member("speaker", Shape::Text, false),
    member(TEXT, Shape::Text, true),
    member("startSeconds", Shape::Duration, false),
    member("endSeconds", Shape::Duration, false),
    member("confidence", Shape::Number, false),
    member("channel", Shape::Text, false),
];

/// What is said in a turn.
pub(super) const TEXT: &str = "text";

impl Target {
    /// The target of a name.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        TARGETS.iter().find(|target| target.name == name)
    }

    /// Every name, for messages.
    pub(super) fn names() -> String {
        let files = FILE.iter().map(|member| format!("recording.{}", member.name));
        TARGETS.iter().map(|target| target.name.to_owned()).chain(files).collect::<Vec<_>>().join(", ")
    }

    /// Its place in the schema's order.
    pub(super) fn position(&self) -> usize {
        TARGETS.iter().position(|target| target.name == self.name).unwrap_or(usize::MAX)
    }

    /// The name inside its section.
    pub(super) fn member(&self) -> &'static str {
        self.name.rsplit_once('.').map_or(self.name, |(_, member)| member)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::provider::conversation::SCHEMA;

    #[test]
    fn definitions_may_set_every_member_of_the_schema_and_no_other() {
        let schema: Value = serde_json::from_str(SCHEMA).unwrap();
        let members = |at: &str| -> BTreeSet<String> {
            let properties = schema.pointer(&format!("{at}/properties")).and_then(Value::as_object).expect(at);
            properties.keys().cloned().collect()
        };
        let own = |list: &[Member]| list.iter().map(|member| member.name.to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(own(&PERSON), members("/properties/participants/items"));
        assert_eq!(own(&FILE), members("/properties/recording"));
        assert_eq!(own(&FILE), members("/properties/recordings/items"));
        assert_eq!(own(&TURN), members("/properties/transcript/properties/segments/items"));
        let mut all = BTreeSet::new();
        for name in members("") {
            match name.as_str() {
                "kind" | "occurredAt" | "original" | "participants" | "recording" | "recordings" => {}
                "agent" | "cost" | "transcript" | "analysis" => {
                    all.extend(members(&format!("/properties/{name}")).iter().map(|member| format!("{name}.{member}")));
                }
                _ => assert!(all.insert(name)),
            }
        }
        all.remove("transcript.segments");
        assert_eq!(TARGETS.iter().map(|target| target.name.to_owned()).collect::<BTreeSet<_>>(), all);
        assert_eq!(all.len(), TARGETS.len());
    }

    #[test]
    fn the_words_of_members_are_those_of_the_schema() {
        let schema: Value = serde_json::from_str(SCHEMA).unwrap();
        for (at, words) in [
            ("/properties/direction/enum", DIRECTIONS),
            ("/properties/channel/enum", CHANNELS),
            ("/properties/transcript/properties/format/enum", FORMATS),
            ("/properties/participants/items/properties/role/examples", ROLES),
            ("/properties/participants/items/properties/type/enum", TYPES),
            ("/properties/participants/items/properties/side/enum", SIDES),
        ] {
            assert_eq!(schema.pointer(at), Some(&serde_json::json!(words)), "{at}");
        }
    }
}
