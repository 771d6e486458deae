//! The OpenAPI 3.1 document, made from the handlers and the types that they really use. A test holds
//! it against the table of routes, so neither can grow without the other.

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HeaderValue};
use std::sync::LazyLock;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{AdditionalProperties, KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Content, OpenApi as Document, Ref, RefOr, Required, ResponseBuilder};
use utoipa::{Modify, OpenApi, PartialSchema, ToSchema};

use super::api::{
    alert_groups, alerts, changes, deliveries, heartbeats, incidents, learning, on_call, problems, records, silences,
    topology,
};
use super::error::PROBLEM_JSON;
use super::{alertmanager, calendar, callback, health, heartbeat, ingest};
use crate::model::audit::AuditHash;
use crate::model::problem::ProblemId;
use crate::model::{Fingerprint, IncidentId, Labels, Matcher, Span, Timestamp};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Watchbell",
        description = "Incidents, alerts and deliveries of a Watchbell daemon. Every error is an RFC 9457 problem."
    ),
    paths(
        ingest::by_kind,
        ingest::by_name,
        callback::receive,
        heartbeat::beat,
        heartbeat::beat_by_get,
        heartbeat::fail,
        heartbeat::fail_by_get,
        ingest::post_alerts,
        ingest::alertmanager_prefixed,
        ingest::alertmanager_named,
        alertmanager::list,
        alertmanager::groups,
        alertmanager::receivers,
        alertmanager::status,
        alertmanager::silences::list,
        alertmanager::silences::post,
        alertmanager::silences::read,
        alertmanager::silences::expire,
        incidents::list,
        incidents::read,
        incidents::timeline,
        incidents::alerts,
        incidents::acknowledge,
        incidents::resolve,
        incidents::assign,
        incidents::comment,
        incidents::confirm_root_cause,
        incidents::split,
        alerts::list,
        alerts::read,
        alerts::timeline,
        alert_groups::of_alert,
        alert_groups::read,
        alert_groups::timeline,
        problems::list,
        problems::create,
        problems::read,
        problems::timeline,
        problems::accept,
        problems::reject,
        problems::merge,
        problems::analyse,
        problems::workaround,
        problems::resolve,
        problems::reopen,
        problems::assign,
        problems::retitle,
        problems::link,
        problems::unlink,
        changes::list,
        learning::read,
        learning::forget,
        deliveries::list,
        deliveries::redrive,
        deliveries::redrive_all,
        heartbeats::list,
        on_call::list,
        on_call::schedules,
        on_call::shifts,
        on_call::put_in,
        on_call::remove,
        on_call::swap,
        calendar::feed,
        on_call::people,
        silences::list,
        silences::create,
        silences::preview,
        silences::expire,
        topology::read,
        topology::read_item,
        topology::read_origin,
        topology::put,
        topology::remove,
        records::event,
        records::audit,
        records::quarantine,
        health::metrics,
        health::healthy,
        health::ready,
        health::reload,
        serve,
    ),
    modifiers(&Finish)
)]
struct Api;

struct Finish;

impl Modify for Finish {
    fn modify(&self, document: &mut Document) {
        let bearer = |description: &str| {
            SecurityScheme::Http(
                HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(description)).build(),
            )
        };
        let basic =
            HttpBuilder::new().scheme(HttpAuthScheme::Basic).description(Some("The source's user and password"));
        let components = document.components.get_or_insert_default();
        for (name, scheme) in [
            ("api_token", bearer("A token with a role; not needed on loopback while none is configured")),
            ("feed_token", bearer("The calendar feed's token; it may stand in the URL as `?token=` instead")),
            ("source_token", bearer("The source's token")),
            ("source_password", SecurityScheme::Http(basic.build())),
        ] {
            components.security_schemes.insert(name.to_owned(), scheme);
        }
        document.info.version = env!("CARGO_PKG_VERSION").to_owned();
        for (path, item) in &mut document.paths.paths {
            let is_theirs = path.contains("/api/v2/");
            for operation in [&mut item.get, &mut item.put, &mut item.post, &mut item.delete].into_iter().flatten() {
                describe_problems(operation, is_theirs);
                describe_what_may_be_left_out(operation);
            }
        }
    }
}

/// A body that is only a note may be left out altogether.
fn describe_what_may_be_left_out(operation: &mut Operation) {
    let Some(body) = &mut operation.request_body else { return };
    let note = Ref::from_schema_name("Note").ref_location;
    let is_note = |content: &Content| matches!(&content.schema, Some(RefOr::Ref(of)) if of.ref_location == note);
    if body.content.values().any(is_note) {
        body.required = Some(Required::False);
    }
}

/// What every operation can be answered, and the media type in which every problem is written. On Alertmanager's
/// paths a refusal has their shape, unless it comes before anything is known of the path.
fn describe_problems(operation: &mut Operation, is_theirs: bool) {
    let responses = &mut operation.responses.responses;
    for (status, description) in
        [("500", "Failed on our side"), ("503", "Not able to answer at present, or not in time")]
    {
        let problem = Ref::from_schema_name("ProblemDetails");
        let response =
            ResponseBuilder::new().description(description).content("application/json", Content::new(Some(problem)));
        responses.entry(status.to_owned()).or_insert_with(|| response.build().into());
    }
    for (status, response) in responses {
        if let RefOr::T(response) = response
            && !status.starts_with('2')
            && let Some(content) = response.content.shift_remove("application/json")
        {
            response.content.insert(PROBLEM_JSON.to_owned(), content);
            if is_theirs {
                let any = Content::new(Some(RefOr::T(serde_json::Value::schema().into())));
                response.content.insert("application/json".to_owned(), any);
            }
        }
    }
}

/// The document, for `watchbell` itself and for the docs.
pub fn document() -> Document {
    Api::openapi()
}

/// This document.
#[utoipa::path(get, path = "/api/v1/openapi.json", operation_id = "read_openapi", tag = "operations",
    responses((status = 200, body = serde_json::Value, description = "OpenAPI 3.1")))]
pub async fn serve() -> Response {
    static JSON: LazyLock<String> = LazyLock::new(|| serde_json::to_string(&document()).unwrap_or_default());
    ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], JSON.as_str()).into_response()
}

/// Types of the model that write themselves as text.
macro_rules! text_schema {
    ($type:ty, $builder:expr) => {
        impl PartialSchema for $type {
            fn schema() -> RefOr<Schema> {
                let builder: ObjectBuilder = $builder;
                builder.schema_type(Type::String).build().into()
            }
        }
        impl ToSchema for $type {}
    };
}

text_schema!(
    Timestamp,
    ObjectBuilder::new()
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        .examples([serde_json::json!("2026-11-21T05:00:00.123Z")])
);
text_schema!(Span, ObjectBuilder::new().description(Some("A duration")).examples([serde_json::json!("1h30m")]));
text_schema!(IncidentId, ObjectBuilder::new().examples([serde_json::json!("inc-7k2m9q4x1a")]));
text_schema!(ProblemId, ObjectBuilder::new());
text_schema!(AuditHash, ObjectBuilder::new().pattern(Some("^[0-9a-f]{64}$")));
text_schema!(Fingerprint, ObjectBuilder::new().pattern(Some("^[0-9a-f]{16}$")));
text_schema!(
    Matcher,
    ObjectBuilder::new()
        .description(Some("A label matcher in Alertmanager's syntax: `=`, `!=`, `=~` or `!~`"))
        .examples([serde_json::json!("team=\"ops\"")])
);

impl PartialSchema for Labels {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(Type::String).build();
        ObjectBuilder::new()
            .schema_type(Type::Object)
            .additional_properties(Some(AdditionalProperties::RefOr(Schema::Object(text).into())))
            .build()
            .into()
    }
}

impl ToSchema for Labels {}
