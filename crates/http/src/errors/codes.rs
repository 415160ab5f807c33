//! Codes: issued, imported, checked and looked after.

use tenantry_domain::{
    CheckCodeError, GenerateCodesError, ImportCodesError, InvalidValue, LONGEST_TTL, MAX_IMPORT, ManageCodeError,
    RevokeBatchError,
};

use super::ErrorCode;
use crate::{import_report::ImportReportJson, problem::Problem};

/// The most faults that a refused import is told; a dry run is told all.
const MOST_FAULTS: usize = 1_000;

impl From<GenerateCodesError> for Problem {
    fn from(refusal: GenerateCodesError) -> Self {
        let field = |pointer: &str, refusal: &GenerateCodesError| {
            Self::field(pointer, InvalidValue::new("out_of_range", refusal.to_string()))
        };
        match refusal {
            GenerateCodesError::CountOutOfRange => field("/count", &refusal),
            GenerateCodesError::TtlNotPositive | GenerateCodesError::TtlTooLong => field("/ttl_seconds", &refusal),
            GenerateCodesError::MaxUsesOutOfRange => field("/max_uses", &refusal),
            GenerateCodesError::UnknownTenant => Self::not_found(),
            GenerateCodesError::Store(failure) => failure.into(),
        }
    }
}

impl From<ImportCodesError> for Problem {
    fn from(refusal: ImportCodesError) -> Self {
        match refusal {
            ImportCodesError::UnknownTenant => Self::not_found(),
            ImportCodesError::TooMany => Self::too_many_lines(),
            ImportCodesError::Refused(report) => {
                let detail = format!("{} of {} lines can't be taken in, so none was; see `report`", report.bad, report.lines);
                let mut problem = Self::new(ErrorCode::ImportRefused, detail);
                problem.report = Some(Box::new(ImportReportJson::new(report, MOST_FAULTS)));
                problem
            }
            ImportCodesError::Store(failure) => failure.into(),
        }
    }
}

impl Problem {
    /// An import that is longer than one may be.
    pub fn too_many_lines() -> Self {
        Self::new(ErrorCode::PayloadTooLarge, format!("a file has at most {MAX_IMPORT} codes; split it"))
    }
}

impl From<ManageCodeError> for Problem {
    fn from(error: ManageCodeError) -> Self {
        match error {
            ManageCodeError::UnknownCode => Self::not_found(),
            ManageCodeError::Refused(refusal) => Self::new(ErrorCode::of(&refusal), refusal.to_string()),
            ManageCodeError::EndPassed => {
                Self::field("/expires_at", InvalidValue::new("has_passed", "must not have passed; absent, the code ends at once"))
            }
            ManageCodeError::EndTooFar => {
                let told = format!("must be at most {} days away; null, the code never ends", LONGEST_TTL.whole_days());
                Self::field("/expires_at", InvalidValue::new("out_of_range", told))
            }
            ManageCodeError::Changed => {
                Self::new(ErrorCode::Conflict, "the code was changed by another request; read it, and try again")
            }
            ManageCodeError::Store(failure) => failure.into(),
        }
    }
}

impl From<CheckCodeError> for Problem {
    fn from(error: CheckCodeError) -> Self {
        match error {
            CheckCodeError::UnknownTenant => {
                Self::field("/tenant_id", InvalidValue::new("unknown_tenant", "there is no such tenant"))
            }
            CheckCodeError::Store(failure) => failure.into(),
        }
    }
}

impl From<RevokeBatchError> for Problem {
    fn from(refusal: RevokeBatchError) -> Self {
        match refusal {
            RevokeBatchError::UnknownBatch => Self::not_found(),
            RevokeBatchError::Store(failure) => failure.into(),
        }
    }
}
