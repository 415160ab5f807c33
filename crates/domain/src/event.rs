//! Events: what webhooks hear of.

use serde::Serialize;

use crate::{
    Batch, BatchId, BatchSource, CalendarMonth, Cause, CodeId, Context, EventType, Id, MessageId, PlanId, Project, Quota, Tenant,
    TenantId, Timestamp, Webhook, ports::WebhookWrites,
};

/// Something that happened to a tenant, as webhooks are sent it: made once, the same for all that hear of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub event_type: EventType,
    /// The tenant that it happened to.
    pub tenant: TenantId,
    /// When it happened.
    pub at: Timestamp,
    /// What is sent: JSON. It holds no secret, no address and no name of a person.
    pub body: Vec<u8>,
    /// What caused it.
    pub cause: Cause,
    /// Identifiers for the messages that it causes, as many as there can be: one for each webhook of the operators and of the tenant.
    pub message_ids: Vec<MessageId>,
}

/// What happened, as an [`Event`] tells it.
#[derive(Clone, Debug)]
pub enum Happening<'a> {
    /// A tenant was made, on this plan.
    TenantCreated {
        /// The tenant.
        tenant: &'a Tenant,
        /// Its plan.
        plan: PlanId,
    },
    /// A tenant was suspended.
    TenantSuspended,
    /// Codes were issued or imported.
    CodesIssued {
        /// The issue.
        batch: BatchId,
        /// How many.
        count: u32,
        /// Where they come from.
        source: BatchSource,
    },
    /// A code was revoked.
    CodeRevoked {
        /// The code.
        code: CodeId,
    },
    /// All codes of a batch were.
    BatchRevoked {
        /// The batch.
        batch: BatchId,
        /// How many codes.
        count: u64,
    },
    /// A project was made, activated, paused, resumed or completed, or its activation was returned.
    Project {
        /// Which of these.
        event_type: EventType,
        /// The project as it is now.
        project: &'a Project,
        /// The code that activated it, where that is what happened, or was undone.
        code: Option<CodeId>,
    },
    /// An activation brought a month to this part of its quota.
    Quota {
        /// The month.
        month: CalendarMonth,
        /// The month's activations.
        used: u32,
        /// The most there can be.
        quota: Quota,
        /// The part.
        percent: u32,
    },
}

/// The body of a message.
#[derive(Serialize)]
struct Body<'a, D> {
    #[serde(rename = "type")]
    event_type: &'a str,
    timestamp: Timestamp,
    data: D,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Data<'a> {
    Tenant {
        tenant_id: TenantId,
        #[serde(skip_serializing_if = "Option::is_none")]
        slug: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        plan_id: Option<PlanId>,
    },
    Codes {
        tenant_id: TenantId,
        batch_id: BatchId,
        count: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        source: Option<&'a str>,
    },
    Code {
        tenant_id: TenantId,
        code_id: CodeId,
    },
    Project {
        tenant_id: TenantId,
        id: Id<Project>,
        project_id: &'a str,
        project_status: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        activation_code_id: Option<CodeId>,
    },
    Quota {
        tenant_id: TenantId,
        month: String,
        used: u32,
        quota: u32,
        percent: u32,
    },
}

impl Event {
    /// Something that happens now.
    #[must_use]
    pub fn new(cx: &Context<'_>, tenant: TenantId, happening: &Happening<'_>) -> Self {
        let (event_type, data) = happening.describe(tenant);
        Self {
            event_type,
            tenant,
            at: cx.now,
            body: body(event_type.as_str(), cx.now, data),
            cause: cx.cause(),
            // The operators' webhooks and the tenant's.
            message_ids: (0..2 * Webhook::MOST).map(|_| Id::generate(cx.now, cx.entropy)).collect(),
        }
    }

    /// The body of a message that shows a webhook's owner that it works.
    #[must_use]
    pub fn test_body(cx: &Context<'_>, webhook: Id<Webhook>) -> Vec<u8> {
        #[derive(Serialize)]
        struct Test {
            webhook_id: Id<Webhook>,
        }
        body(Self::TEST, cx.now, Test { webhook_id: webhook })
    }

    /// The type of such a message.
    pub const TEST: &'static str = "webhook.test";
}

fn body(event_type: &str, timestamp: Timestamp, data: impl Serialize) -> Vec<u8> {
    // It fails for maps whose keys are no text, and has none.
    serde_json::to_vec(&Body { event_type, timestamp, data }).unwrap_or_default()
}

impl Happening<'_> {
    /// That a batch holds what was ordered.
    #[must_use]
    pub const fn codes_issued(batch: &Batch) -> Self {
        Self::CodesIssued { batch: batch.id, count: batch.ordered, source: batch.source }
    }

    fn describe(&self, tenant_id: TenantId) -> (EventType, Data<'_>) {
        match self {
            Self::TenantCreated { tenant, plan } => {
                (EventType::TenantCreated, Data::Tenant { tenant_id, slug: Some(tenant.slug.as_str()), plan_id: Some(*plan) })
            }
            Self::TenantSuspended => (EventType::TenantSuspended, Data::Tenant { tenant_id, slug: None, plan_id: None }),
            Self::CodesIssued { batch, count, source } => (
                EventType::CodesIssued,
                Data::Codes { tenant_id, batch_id: *batch, count: (*count).into(), source: Some(source.as_str()) },
            ),
            Self::CodeRevoked { code } => (EventType::CodeRevoked, Data::Code { tenant_id, code_id: *code }),
            Self::BatchRevoked { batch, count } => {
                (EventType::CodeRevoked, Data::Codes { tenant_id, batch_id: *batch, count: *count, source: None })
            }
            Self::Project { event_type, project, code } => (
                *event_type,
                Data::Project {
                    tenant_id,
                    id: project.id,
                    project_id: project.slug.as_str(),
                    project_status: project.status.as_str(),
                    activation_code_id: *code,
                },
            ),
            Self::Quota { month, used, quota, percent } => (
                EventType::QuotaThreshold,
                Data::Quota { tenant_id, month: month.to_string(), used: *used, quota: quota.get(), percent: *percent },
            ),
        }
    }
}

/// The part of the quota, in percent, that a month's `used`-th activation brings it to, where that is worth telling.
#[must_use]
pub(crate) fn quota_threshold(used: u32, quota: Quota) -> Option<u32> {
    let quota = u64::from(quota.get());
    let reaches = |percent: u32| u64::from(used) == (quota * u64::from(percent)).div_ceil(100);
    [100, 80].into_iter().find(|&percent| reaches(percent))
}

/// Tells all webhooks that want to hear of it, if there can be any.
pub(crate) async fn announce(
    tx: &mut impl WebhookWrites,
    cx: &Context<'_>,
    tenant: TenantId,
    heard: bool,
    happening: &Happening<'_>,
) -> Result<(), crate::StoreError> {
    if heard {
        tx.enqueue_event(&Event::new(cx, tenant, happening)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SeededEntropy;

    #[test]
    fn a_month_tells_of_eighty_and_of_a_hundred_percent_once_each() {
        for (quota, told) in
            [(1, vec![(1, 100)]), (2, vec![(2, 100)]), (10, vec![(8, 80), (10, 100)]), (7, vec![(6, 80), (7, 100)])]
        {
            let limit = Quota::new(quota).unwrap();
            let tells = (1..=limit.get()).filter_map(|used| Some((used, quota_threshold(used, limit)?)));
            assert_eq!(tells.collect::<Vec<_>>(), told, "{quota}");
        }
        let most = Quota::new(1_000_000).unwrap();
        assert_eq!((quota_threshold(800_000, most), quota_threshold(800_001, most)), (Some(80), None));
    }

    #[test]
    fn a_body_says_what_happened_and_when() {
        let entropy = SeededEntropy::new(1);
        let cx = Context::system(Timestamp::MIN, &entropy);
        let tenant = Id::generate(cx.now, &entropy);
        let event = Event::new(&cx, tenant, &Happening::TenantSuspended);
        let expected = format!(r#"{{"type":"tenant.suspended","timestamp":"{}","data":{{"tenant_id":"{tenant}"}}}}"#, cx.now);
        assert_eq!(String::from_utf8(event.body).unwrap(), expected);
        assert_eq!(event.message_ids.len(), 20);
    }
}
