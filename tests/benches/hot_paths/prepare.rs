//! What the server's requests need and only its keys can make: sessions with their tokens, challenges with their passwords, codes with their
//! texts. Written through the domain's ports, for rows of `fill.rs`.

use std::net::{IpAddr, Ipv4Addr};

use tenantry_auth::{KeyRing, OperatorSessionToken, PlainOtp, SessionToken};
use tenantry_domain::{
    ChallengeId, Clock as _, CodeDigest, CodeHasher as _, CodeId, Email, Id, KeyedCodeDigest, NewCode, Operator, OperatorId,
    OperatorName, OperatorSession, OperatorSessionId, OtpChallenge, OtpPurpose, OtpStrength, PlainCode, ProjectId, Role, Session,
    SessionId, SystemClock, SystemEntropy, TenantId, Timestamp, TokenDigest,
    ports::{
        CodeIssue, CodeWrites as _, OperatorSessionWrites as _, OperatorWrites as _, OtpWrites as _, SessionWrites as _,
        Store as _, Transaction as _,
    },
};
use tenantry_persistence::{DatabaseStore, Options};
use time::Duration;

use crate::fill::{project_id, row_id};

/// Tenants that read, sign in and activate, one after the other, so that few requests at once are of one tenant.
pub const MOST_WRITERS: usize = 1_000;
/// Rows of one transaction.
const BATCH: usize = 2_000;
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A tenant's session, which is far from its end and from the next write of its activity.
pub struct SignedIn {
    pub tenant: TenantId,
    pub slug: String,
    pub session: SessionId,
    pub token: String,
    pub digest: TokenDigest,
}

/// An operator's.
pub struct SignedInOperator {
    pub operator: OperatorId,
    pub session: OperatorSessionId,
    pub token: String,
    pub digest: TokenDigest,
}

/// A challenge and the password that answers it.
pub struct SignIn {
    pub challenge: ChallengeId,
    pub otp: String,
}

/// A pending project and a code for it.
pub struct Activation {
    pub project: ProjectId,
    pub code: CodeId,
    pub text: String,
    pub digest: CodeDigest,
}

/// What requests are made of. Item i is the tenant's that `writers` has at i, counted round.
pub struct Prepared {
    pub writers: Vec<SignedIn>,
    pub operator: SignedInOperator,
    pub sign_ins: Vec<SignIn>,
    pub activations: Vec<Activation>,
}

impl Prepared {
    /// Whose an item is.
    pub fn writer(&self, item: usize) -> &SignedIn {
        &self.writers[item % self.writers.len()]
    }
}

/// How many of the tenants write.
pub fn writers_of(tenants: usize) -> usize {
    tenants.min(MOST_WRITERS)
}

/// The row of an item's project, which is one of its tenant's.
pub fn project_row(item: usize, tenants: usize, writers: usize) -> usize {
    item / writers * tenants + item % writers
}

/// Writes what `items` sign-ins and activations of the first so many tenants need, and keeps what their requests do.
pub async fn prepare(database: &str, keys: &KeyRing, tenants: usize, writers: usize, items: usize) -> Prepared {
    let store = DatabaseStore::connect(&Options::new(database)).await.expect("the database");
    let maker = Maker { store, keys, now: SystemClock.now() };
    let operator = maker.operator().await;
    let writers = maker.sessions(writers).await;
    let sign_ins = maker.sign_ins(&writers, items).await;
    let activations = maker.activations(&writers, tenants, items).await;
    maker.store.close().await;
    Prepared { writers, operator, sign_ins, activations }
}

struct Maker<'a> {
    store: DatabaseStore,
    keys: &'a KeyRing,
    now: Timestamp,
}

impl Maker<'_> {
    fn id<K: tenantry_domain::id::Kind>(&self) -> Id<K> {
        Id::generate(self.now, &SystemEntropy)
    }

    async fn operator(&self) -> SignedInOperator {
        let operator = Operator {
            id: self.id(),
            name: OperatorName::parse("Bench").unwrap(),
            email: Email::parse("bench@operator.example").unwrap(),
            role: Role::Owner,
            created_at: self.now,
            updated_at: self.now,
        };
        let token = OperatorSessionToken::generate(&SystemEntropy);
        let session = OperatorSession {
            id: self.id(),
            operator_id: operator.id,
            token_digest: self.keys.token_digest(&token),
            last_activity: self.now + Duration::HOUR,
            expires_at: self.now + Duration::DAY,
            client_ip: Some(CLIENT),
            user_agent: Some(crate::http::USER_AGENT.to_owned()),
            revoked_at: None,
            created_at: self.now,
        };
        let mut tx = self.store.begin().await.unwrap();
        assert!(tx.insert_operator(&operator).await.unwrap(), "the operator is new");
        tx.insert_operator_session(&session).await.unwrap();
        tx.commit().await.unwrap();
        let (token, digest) = (token.reveal().to_owned(), session.token_digest);
        SignedInOperator { operator: operator.id, session: session.id, token, digest }
    }

    /// A session of each of the first tenants.
    async fn sessions(&self, count: usize) -> Vec<SignedIn> {
        let mut tx = self.store.begin().await.unwrap();
        let mut made = Vec::new();
        for number in 0..count {
            let token = SessionToken::generate(&SystemEntropy);
            let session = Session {
                id: self.id(),
                tenant_id: Id::from_uuid(row_id(number)),
                token_digest: self.keys.token_digest(&token),
                last_activity: self.now + Duration::HOUR,
                expires_at: self.now + Duration::DAY,
                client_ip: Some(CLIENT),
                user_agent: Some(crate::http::USER_AGENT.to_owned()),
                revoked_at: None,
                created_at: self.now,
            };
            tx.insert_session(&session).await.unwrap();
            made.push(SignedIn {
                tenant: session.tenant_id,
                slug: format!("tenant-{number}"),
                session: session.id,
                token: token.reveal().to_owned(),
                digest: session.token_digest,
            });
        }
        tx.commit().await.unwrap();
        made
    }

    /// Challenges that stay open long enough.
    async fn sign_ins(&self, writers: &[SignedIn], count: usize) -> Vec<SignIn> {
        const PURPOSE: OtpPurpose = OtpPurpose::TenantSignIn;
        const STRENGTH: OtpStrength = OtpStrength::SixDigits;

        let mut made = Vec::new();
        while made.len() < count {
            let mut tx = self.store.begin().await.unwrap();
            for number in made.len()..count.min(made.len() + BATCH) {
                let (tenant, id) = (writers[number % writers.len()].tenant, self.id());
                let otp = PlainOtp::generate(STRENGTH, &SystemEntropy);
                let (code_mac, key_id) = self.keys.otp_mac(PURPOSE, Some(tenant.into()), id, &otp);
                let challenge = OtpChallenge {
                    id,
                    account: Some(tenant.into()),
                    code_mac,
                    key_id,
                    purpose: PURPOSE,
                    strength: STRENGTH,
                    attempts: 0,
                    expires_at: self.now + Duration::DAY,
                    consumed_at: None,
                    created_at: self.now,
                };
                tx.insert_challenge(&challenge).await.unwrap();
                made.push(SignIn { challenge: id, otp: otp.reveal().to_string() });
            }
            tx.commit().await.unwrap();
        }
        made
    }

    /// A code for each item's project.
    async fn activations(&self, writers: &[SignedIn], tenants: usize, count: usize) -> Vec<Activation> {
        let mut made: Vec<Option<Activation>> = (0..count).map(|_| None).collect();
        let mut tx = self.store.begin().await.unwrap();
        for (place, writer) in writers.iter().enumerate() {
            let issue = CodeIssue { tenant_id: writer.tenant, batch_id: self.id(), created_at: self.now };
            let mut codes = Vec::new();
            for item in (place..count).step_by(writers.len()) {
                let text = PlainCode::generate(&SystemEntropy);
                let (id, KeyedCodeDigest { digest, key_id }) = (self.id(), self.keys.digest(&text));
                let project = Id::from_uuid(project_id(project_row(item, tenants, writers.len())));
                made[item] = Some(Activation { project, code: id, text: text.reveal().to_string(), digest });
                codes.push(NewCode { id, digest, key_id, hint: text.hint(), label: None, max_uses: 1, expires_at: None });
            }
            tx.insert_codes(&issue, &codes).await.unwrap();
        }
        tx.commit().await.unwrap();
        made.into_iter().flatten().collect()
    }
}
