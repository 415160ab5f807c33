use tenantry_domain::{
    CodeImport, CodeOrder, CodeStatus, Id, ImportCodesError, ImportLine, ImportReport, InvalidValue, Label, MAX_IMPORT,
    SeededEntropy, import_codes, memory::PlainHasher, ports::*,
};
use time::Duration;

use crate::support::{Portal, block_on, noon};

/// The texts of codes that no other call gives.
fn texts(count: usize) -> Vec<String> {
    let entropy = SeededEntropy::new(271_828);
    (0..count).map(|_| tenantry_domain::PlainCode::generate(&entropy).reveal().to_string()).collect()
}

fn line<'a>(number: u32, [code, label, max_uses, expires_at]: [&'a str; 4]) -> ImportLine<'a> {
    ImportLine { number, code, label, max_uses, expires_at }
}

/// An import of these lines, the first of which is the second of its file.
async fn gathered(portal: &Portal, label: Option<&str>, lines: &[[&str; 4]]) -> CodeImport {
    let mut import = CodeImport::new(label.map(|label| Label::parse(label).unwrap()));
    for (number, cells) in (2..).zip(lines) {
        import.add(&portal.cx(noon()), &PlainHasher, &line(number, *cells));
        import.look_up(&mut portal.store.reader(), false).await.unwrap();
    }
    import.look_up(&mut portal.store.reader(), true).await.unwrap();
    import
}

fn faults(report: &ImportReport) -> Vec<(u32, &str, &str)> {
    report.faults.iter().map(|fault| (fault.line, fault.column, fault.invalid.code)).collect()
}

#[test]
fn every_fault_of_every_line_is_reported_without_a_code() {
    block_on(async {
        let portal = Portal::new();
        let (tenant, _) = portal.tenant("acme").await;
        let known = portal.codes(tenant, CodeOrder::default()).await.codes.remove(0).code.reveal().to_string();
        let texts = texts(5);
        let [good, long, old, many, twice] = &texts[..] else { panic!() };
        let lower = twice.to_lowercase().replace('-', " ");
        let mistyped = good.replace(good.chars().next().unwrap(), "U");
        let label = "x".repeat(101);
        let lines = [
            [good, "Spring", "3", "2027-01-31T12:00:00Z"],
            [&mistyped, "", "", ""],
            [long, &label, "0", "tomorrow"],
            [old, "", "", "2026-03-15T12:00:00Z"],
            [many, "", "1000001", "2999-01-01T00:00:00Z"],
            [twice, "", "", ""],
            [&known, "", "", ""],
            [&lower, "", "-1", ""],
            ["", "", "", ""],
        ]
        .map(|cells| cells.map(|cell| cell as &str));
        let import = gathered(&portal, None, &lines).await;
        let report = import.into_report();
        let expected = [
            (3, "code", "code_malformed"),
            (4, "label", "too_long"),
            (4, "max_uses", "out_of_range"),
            (4, "expires_at", "invalid_time"),
            (5, "expires_at", "out_of_range"),
            (6, "max_uses", "out_of_range"),
            (6, "expires_at", "out_of_range"),
            (8, "code", "code_known"),
            (9, "max_uses", "out_of_range"),
            (9, "code", "duplicate"),
            (10, "code", "code_malformed"),
        ];
        assert_eq!((report.lines, report.bad), (9, 7));
        assert_eq!(faults(&report), expected);
        assert_eq!(report.faults[9].invalid.detail, "line 7 has the same code");
        let shown = format!("{report:?}").to_uppercase();
        for text in texts.iter().chain([&known]) {
            assert!(text.split('-').all(|group| !shown.contains(group)), "{shown}");
        }

        let before = portal.audited(tenant).await;
        let refused = import_codes(&portal.store, &portal.cx(noon()), tenant, gathered(&portal, None, &lines).await).await;
        assert!(matches!(refused, Err(ImportCodesError::Refused(again)) if again == report));
        assert_eq!(portal.audited(tenant).await, before, "nothing was imported");
    });
}

#[test]
fn codes_are_imported_as_their_lines_say() {
    block_on(async {
        let portal = Portal::new();
        let (tenant, _) = portal.tenant("acme").await;
        let texts = texts(1_500);
        let mut lines: Vec<_> = texts.iter().map(|text| [text.as_str(), "", "", ""]).collect();
        lines[0] = [&texts[0], " Spring ", " 3 ", "2026-03-15T13:00:00+01:00"];
        lines[1] = [&texts[1], "Spring", "3", "2026-03-15T13:00:01+01:00"];
        let late = gathered(&portal, Some("Old system"), &lines).await.into_report();
        assert_eq!(faults(&late), [(2, "expires_at", "out_of_range")], "a code is expired from its end on");
        lines[0][3] = "";
        let import = gathered(&portal, Some("Old system"), &lines).await;
        let batch = import_codes(&portal.store, &portal.cx(noon()), tenant, import).await.unwrap();
        assert_eq!((batch.ordered, batch.issued, batch.max_uses), (1_500, 1_500, None));
        assert_eq!(batch.label, Some(Label::parse("Old system").unwrap()));
        assert_eq!(portal.audited(tenant).await.iter().filter(|action| *action == "codes.imported").count(), 1);

        let mut reader = portal.store.reader();
        assert_eq!(reader.count_batch_codes(tenant, batch.id, noon()).await.unwrap(), [0, 0, 0, 1_500]);
        let mut stored = async |text: &str| {
            let text = tenantry_domain::PlainCode::parse(text).unwrap();
            let digests = tenantry_domain::CodeHasher::candidates(&PlainHasher, &text);
            reader.code_by_digests(&digests).await.unwrap().unwrap()
        };
        let (first, second, third) = (stored(&texts[0]).await, stored(&texts[1]).await, stored(&texts[2]).await);
        assert_eq!((first.label.unwrap().as_str(), first.max_uses, first.expires_at), ("Spring", 3, None));
        assert_eq!(second.expires_at, Some(noon() + Duration::SECOND));
        assert_eq!((third.status(noon()), third.label, third.max_uses), (CodeStatus::Active, batch.label, 1));

        let again = import_codes(&portal.store, &portal.cx(noon()), tenant, gathered(&portal, None, &lines).await).await;
        assert!(matches!(again, Err(ImportCodesError::Refused(report)) if report.bad == 1_500), "all are known now");
    });
}

#[test]
fn an_unknown_tenant_imports_nothing() {
    block_on(async {
        let portal = Portal::new();
        let texts = texts(1);
        let import = gathered(&portal, None, &[[&texts[0], "", "", ""]]).await;
        let unknown = Id::from_uuid(uuid::Uuid::from_u128(7));
        let refused = import_codes(&portal.store, &portal.cx(noon()), unknown, import).await;
        assert!(matches!(refused, Err(ImportCodesError::UnknownTenant)));
    });
}

#[test]
fn an_import_of_more_lines_than_one_may_have_is_refused() {
    block_on(async {
        let portal = Portal::new();
        let (tenant, _) = portal.tenant("acme").await;
        let invalid = InvalidValue::new("x", "x");
        let refused = async |lines: u32| {
            let mut import = CodeImport::new(None);
            (0..lines).for_each(|number| import.add_unreadable(number, invalid.clone()));
            import_codes(&portal.store, &portal.cx(noon()), tenant, import).await.unwrap_err()
        };
        assert!(matches!(refused(MAX_IMPORT).await, ImportCodesError::Refused(report) if report.bad == MAX_IMPORT));
        assert!(matches!(refused(MAX_IMPORT + 1).await, ImportCodesError::TooMany));
    });
}
