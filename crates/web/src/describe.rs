//! What no attribute of a handler can say in the description of the API: which words a member may be, that an answer has all
//! of its members, and of which members of a request one has to be there.
//!
//! Promise, held by the tests: every request and answer of theirs is as it is described, and what is refused for its form the
//! description forbids, but for what it can say in words alone.

use repute_engine::CircuitRow;
use repute_engine::bulk::words::{State, WhyNot};
use repute_engine::control::QueueRow;
use repute_hooks::Type;
use repute_types::Verdict;
use serde_json::{Value, json};
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::{AdditionalProperties, AllOfBuilder, Object, Schema, SchemaType, Type as Kind};
use utoipa::openapi::{OpenApi, RefOr, Required};

use crate::v1::letter::{FIELD, PAIRS, VALUE, WORD};
use crate::v1::view::{STATES, STEPS};

/// A text of one line that is not blank.
const WORDS: &str = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$";

/// Completes what is made from the handlers.
pub(crate) fn complete(api: &mut OpenApi) {
    list_types_of_events(api);
    pauses_without_a_body(api);
    let operations = api.paths.paths.values_mut().flat_map(|path| [&mut path.get, &mut path.post, &mut path.delete]);
    for operation in operations.flatten() {
        operation.parameters.iter_mut().flatten().for_each(may_be_empty);
        operation.parameters.iter_mut().flatten().for_each(is_text);
    }
    let Some(components) = api.components.as_mut() else { return };
    for schema in components.schemas.values_mut() {
        if let RefOr::T(schema) = schema {
            has_all_members(schema);
        }
    }
    let member = |object: &mut Object, name: &str, change: &dyn Fn(&mut Object)| match object.properties.get_mut(name) {
        Some(RefOr::T(Schema::Object(member))) => change(member),
        Some(RefOr::T(Schema::Array(list))) => {
            if let utoipa::openapi::schema::ArrayItems::RefOrSchema(item) = &mut list.items
                && let RefOr::T(Schema::Object(item)) = &mut **item
            {
                change(item);
            }
        }
        _ => debug_assert!(false, "{name} is no member to say this of"),
    };
    for (schema, name, words) in words() {
        let Some(RefOr::T(Schema::Object(object))) = components.schemas.get_mut(schema) else { continue };
        member(object, name, &|member: &mut Object| {
            let may_be_null = matches!(&member.schema_type, SchemaType::Array(types) if types.contains(&Kind::Null));
            let all = words.iter().map(|word| Value::from(*word));
            member.enum_values = Some(all.chain(may_be_null.then_some(Value::Null)).collect());
        });
    }
    if let Some(RefOr::T(Schema::Object(message))) = components.schemas.get_mut("Message") {
        member(message, "headers", &|headers| {
            bound(headers, json!({"type": "string", "minLength": 1, "maxLength": FIELD}));
        });
        member(message, "metadata", &|metadata| {
            bound(metadata, json!({"type": "string", "minLength": 1, "maxLength": WORD, "pattern": WORDS}));
        });
    }
    for schema in ["SayWord", "TakeBack"] {
        let Some(RefOr::T(Schema::Object(object))) = components.schemas.get_mut(schema) else { continue };
        if let Some(RefOr::T(Schema::Object(address))) = object.properties.get("address") {
            let of = |format: &str| json!({"type": "string", "format": format});
            let both = json!({"anyOf": [of("ipv4"), of("ipv6"), {"type": "null"}], "description": address.description});
            object.properties.insert("address".to_owned(), written(both));
        }
    }
    for (schema, more) in [("Selection", selected()), ("Message", whole_or_composed()), ("Again", in_one_way())] {
        let Some(members) = components.schemas.remove(schema) else { continue };
        let both = AllOfBuilder::new().item(members).item(more).build();
        components.schemas.insert(schema.to_owned(), RefOr::T(Schema::AllOf(both)));
    }
}

/// Which events a reader wants is said in one parameter, with commas between their types.
fn list_types_of_events(api: &mut OpenApi) {
    let follow = api.paths.paths.get_mut("/v1/events").and_then(|path| path.get.as_mut());
    let all = follow.into_iter().flat_map(|follow| &mut follow.parameters).flatten();
    let wanted = all.into_iter().find_map(|one| match one {
        RefOr::T(one) if one.name == "types" => one.schema.as_mut(),
        _ => None,
    });
    let one = format!("({})", Type::NAMES.join("|").replace('.', r"\."));
    match wanted {
        Some(RefOr::T(Schema::Object(types))) => types.pattern = Some(format!("^{one}(,{one})*$")),
        _ => debug_assert!(false, "the stream of events has no parameter for its types"),
    }
}

/// Why a campaign is paused need not be said.
fn pauses_without_a_body(api: &mut OpenApi) {
    let pause = api.paths.paths.get_mut("/v1/campaigns/{campaign}/pause").and_then(|path| path.post.as_mut());
    match pause.and_then(|pause| pause.request_body.as_mut()) {
        Some(RefOr::T(body)) => body.required = Some(Required::False),
        _ => debug_assert!(false, "a pause has no body to say this of"),
    }
}

/// An empty value of a query is one that is not given: so forms send it.
fn may_be_empty(parameter: &mut RefOr<Parameter>) {
    let RefOr::T(parameter) = parameter else { return };
    let is_meant = parameter.parameter_in == ParameterIn::Query && parameter.required != Required::True;
    if let (true, Some(RefOr::T(Schema::Object(text)))) = (is_meant, &mut parameter.schema) {
        text.min_length = text.min_length.filter(|_| text.pattern.is_none());
        text.pattern = text.pattern.take().map(|pattern| format!("^$|{pattern}"));
        // No pattern says what an address or a name is: the empty text stands beside it.
        if text.format.is_some() && text.schema_type == SchemaType::from(Kind::String) {
            let both = json!({"anyOf": [&*text, {"type": "string", "maxLength": 0}]});
            parameter.schema = Some(written(both));
        }
    }
}

/// A header field that may be left out is a text where it is there: HTTP has no null.
fn is_text(parameter: &mut RefOr<Parameter>) {
    let RefOr::T(parameter) = parameter else { return };
    if let (ParameterIn::Header, Some(RefOr::T(Schema::Object(text)))) =
        (&parameter.parameter_in, &mut parameter.schema)
    {
        text.schema_type = Kind::String.into();
    }
}

/// The members that are one of a few words.
fn words() -> Vec<(&'static str, &'static str, Vec<&'static str>)> {
    vec![
        ("Waiting", "state", QueueRow::states().into()),
        ("RecipientView", "state", STATES.into()),
        ("StepView", "step", STEPS.into()),
        ("StepView", "verdict", Verdict::ALL.map(Verdict::as_str).into()),
        ("Circuit", "what", CircuitRow::WHATS.into()),
        ("Campaign", "state", State::ALL.map(State::as_str).into()),
        ("RefusedRow", "why", WhyNot::ALL.map(WhyNot::as_str).into()),
        ("LeftOut", "why", [WhyNot::Suppressed, WhyNot::Duplicate, WhyNot::Role].map(WhyNot::as_str).into()),
        ("Permit", "state", vec!["permitted", "unproven", "suspended", "allowed", "barred"]),
        ("Said", "word", vec!["allow", "suspend"]),
        ("CheckResult", "result", vec!["good", "warns", "bad", "unknown"]),
        ("ReportView", "kind", vec!["dmarc", "tls", "failure"]),
        ("TlsSessions", "policy", vec!["tlsa", "sts", "no-policy-found"]),
        ("Webhook", "state", vec!["active", "paused", "disabled"]),
        ("Webhook", "events", Type::NAMES.into()),
    ]
}

/// What is answered has all its members, null where there is nothing to say; one that may be left out is never null. What is
/// asked has no members but those that are described: so the two are told apart.
fn has_all_members(schema: &mut Schema) {
    let object = match schema {
        Schema::Object(object) => object,
        Schema::AllOf(all) => {
            let objects = all.items.iter_mut().filter_map(|item| match item {
                RefOr::T(schema) => Some(schema),
                RefOr::Ref(_) => None,
            });
            return objects.for_each(has_all_members);
        }
        _ => return,
    };
    if matches!(object.additional_properties.as_deref(), Some(AdditionalProperties::FreeForm(false))) {
        return;
    }
    for (name, member) in &object.properties {
        if may_be_null(member) && !object.required.contains(name) {
            object.required.push(name.clone());
        }
    }
}

fn may_be_null(schema: &RefOr<Schema>) -> bool {
    let is_null = |kind: &SchemaType| match kind {
        SchemaType::Type(kind) => *kind == Kind::Null,
        SchemaType::Array(kinds) => kinds.contains(&Kind::Null),
        SchemaType::AnyValue => false,
    };
    match schema {
        RefOr::T(Schema::Object(object)) => is_null(&object.schema_type),
        RefOr::T(Schema::Array(list)) => is_null(&list.schema_type),
        RefOr::T(Schema::OneOf(one)) => one.items.iter().any(may_be_null),
        _ => false,
    }
}

/// Texts by names: how many, and how long.
fn bound(pairs: &mut Object, names: Value) {
    let value = json!({"type": "string", "maxLength": VALUE});
    pairs.property_names = schema(names).map(Box::new);
    pairs.additional_properties = schema(value).map(|value| Box::new(AdditionalProperties::RefOr(RefOr::T(value))));
    pairs.max_properties = Some(PAIRS);
}

/// Of a selection something has to be said.
fn selected() -> RefOr<Schema> {
    let text = json!({"type": "string"});
    let yes = json!({"type": "boolean", "enum": [true]});
    let some = json!({"type": "array", "items": text, "minItems": 1});
    one_of_them(&[
        ("ids", some),
        ("domain", text.clone()),
        ("sender", text.clone()),
        ("recipient", text),
        ("older_than", json!({"type": "integer"})),
        ("held", yes.clone()),
        ("all", yes),
    ])
}

/// A message is whole in `raw`, or it has an author, recipients, and something to say.
fn whole_or_composed() -> RefOr<Schema> {
    let none = json!({"type": "null"});
    let text = json!({"type": "string"});
    let whole = json!({"type": "object", "required": ["raw"], "properties": {
        "raw": text, "subject": none, "text": none, "html": none, "reply_to": none,
        "attachments": {"type": "array", "items": text, "maxItems": 0},
        "headers": {"type": "object", "maxProperties": 0},
    }});
    let composed = json!({"type": "object", "required": ["from"], "properties": {"raw": none, "from": there()}});
    let somebody = json!({"anyOf": [
        with("to", &people()), with("cc", &people()), with("bcc", &people()),
    ]});
    let something = json!({"anyOf": [with("text", &text), with("html", &text)]});
    written(json!({"anyOf": [whole, {"allOf": [composed, somebody, something]}]}))
}

/// Not null.
fn there() -> Value {
    json!({"anyOf": [{"type": "string"}, {"type": "object"}]})
}

/// Somebody at least.
fn people() -> Value {
    json!({"anyOf": [{"type": "string"}, {"type": "object"}, {"type": "array", "items": there(), "minItems": 1}]})
}

/// Which events are sent again is said in one way.
fn in_one_way() -> RefOr<Schema> {
    let none = json!({"type": "null"});
    let text = json!({"type": "string"});
    let no_events = json!({"type": "array", "items": text, "maxItems": 0});
    let some_events = json!({"type": "array", "items": text, "minItems": 1});
    written(json!({"oneOf": [
        {"type": "object", "required": ["events"],
            "properties": {"events": some_events, "message": none, "since": none, "until": none}},
        {"type": "object", "required": ["message"],
            "properties": {"events": no_events, "message": text, "since": none, "until": none}},
        {"type": "object", "required": ["since"],
            "properties": {"events": no_events, "message": none, "since": text}},
    ]}))
}

fn one_of_them(members: &[(&str, Value)]) -> RefOr<Schema> {
    let all: Vec<Value> = members.iter().map(|(name, schema)| with(name, schema)).collect();
    written(json!({"anyOf": all}))
}

/// An object with this member.
fn with(name: &str, schema: &Value) -> Value {
    json!({"type": "object", "required": [name], "properties": {name: schema}})
}

fn written(json: Value) -> RefOr<Schema> {
    RefOr::T(schema(json).unwrap_or_default())
}

/// What is written here is a schema, which a test sees; a description that could say less would say that anything goes.
fn schema(json: Value) -> Option<Schema> {
    let read = serde_json::from_value(json);
    debug_assert!(read.is_ok(), "this is no schema");
    read.ok()
}
