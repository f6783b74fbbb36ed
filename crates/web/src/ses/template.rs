//! Templates that stand in the request itself (`TemplateContent`), filled in with its data. None are stored here.

use repute_message::handlebars;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::v2::{Attachment, Named};
use crate::problem::{self, FieldFault, Problem};

/// `Content.Template`, and `DefaultContent.Template` of many.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Template {
    template_name: Option<String>,
    template_arn: Option<String>,
    template_content: Option<TemplateContent>,
    /// JSON in a text.
    template_data: Option<String>,
    pub headers: Option<Vec<Named>>,
    pub attachments: Option<Vec<Attachment>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TemplateContent {
    subject: Option<String>,
    text: Option<String>,
    html: Option<String>,
}

/// What a template became.
pub(super) struct Filled {
    pub subject: Option<String>,
    pub text: Option<String>,
    pub html: Option<String>,
}

/// No such template, as SES says it; `name` is its name or ARN.
pub(super) fn unknown(name: &str) -> Problem {
    let name: String = name.chars().take(100).collect();
    let cure = "no templates are stored here. Send the template with the request, as Content.Template.TemplateContent of version 2";
    Problem::new(problem::NOT_FOUND, format!("Template {name} does not exist: {cure}"))
}

impl Template {
    /// `over` are the data of one of many, which go before those for all.
    pub fn filled(&self, place: &str, over: Option<&str>) -> Result<Filled, Problem> {
        let Some(content) = &self.template_content else {
            let name = self.template_name.as_deref().or(self.template_arn.as_deref());
            let missing = || {
                Problem::fields(vec![FieldFault::new(format!("{place}/TemplateContent"), "the template is missing")])
            };
            return Err(name.map_or_else(missing, unknown));
        };
        let mut data = data(self.template_data.as_deref(), &format!("{place}/TemplateData"))?;
        data.extend(self::data(over, "/ReplacementTemplateData")?);
        let data = Value::Object(data);
        let fill = |text: &Option<String>, member: &str| -> Result<Option<String>, Problem> {
            let Some(text) = text else { return Ok(None) };
            handlebars::filled(text, &data).map(Some).map_err(|fault| {
                Problem::fields(vec![FieldFault::new(format!("{place}/TemplateContent/{member}"), fault.to_string())])
            })
        };
        Ok(Filled {
            subject: fill(&content.subject, "Subject")?,
            text: fill(&content.text, "Text")?,
            html: fill(&content.html, "Html")?,
        })
    }
}

/// Nothing is an object without members.
fn data(text: Option<&str>, place: &str) -> Result<Map<String, Value>, Problem> {
    let text = text.map(str::trim).filter(|text| !text.is_empty()).unwrap_or("{}");
    serde_json::from_str(text).map_err(|why| {
        Problem::fields(vec![FieldFault::new(place, format!("this is no JSON object written as a text: {why}"))])
    })
}
