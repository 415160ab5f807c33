//! Messages and webhooks.

use tenantry_domain::{InvalidValue, MessageError, Webhook, WebhookError};

use super::ErrorCode;
use crate::problem::Problem;

impl From<MessageError> for Problem {
    fn from(refusal: MessageError) -> Self {
        match refusal {
            MessageError::UnknownMessage => Self::not_found(),
            MessageError::NotDead { state } => {
                Self::new(ErrorCode::Conflict, format!("the message is {}; this is for those that are dead", state.as_str()))
            }
            MessageError::Expired => {
                Self::new(ErrorCode::Conflict, "what the message carried has expired; it can only be discarded")
            }
            MessageError::Store(failure) => failure.into(),
        }
    }
}

impl From<WebhookError> for Problem {
    fn from(refusal: WebhookError) -> Self {
        match refusal {
            WebhookError::UnknownWebhook | WebhookError::UnknownDelivery => Self::not_found(),
            WebhookError::ChangedMeanwhile => Self::changed_meanwhile(),
            WebhookError::NoEvent => Self::field("/events", InvalidValue::new("empty", "must have one event or more")),
            WebhookError::TooMany => {
                Self::new(ErrorCode::Conflict, format!("there are {} webhooks already, which is the most", Webhook::MOST))
            }
            WebhookError::Disabled => Self::new(ErrorCode::Conflict, "the webhook is disabled; enable it first"),
            WebhookError::Discarded => Self::new(ErrorCode::Conflict, "the message was discarded, and can't be sent again"),
            WebhookError::TenantSuspended => Self::tenant_suspended(),
            WebhookError::SubscriptionInactive { state } => Self::subscription_inactive(state),
            WebhookError::Store(failure) => failure.into(),
        }
    }
}
