-- An older portal with integer keys, booleans, and timestamps without a zone. The column `code` has plain texts, which nobody reads.
CREATE TABLE plans (id serial PRIMARY KEY, name varchar(100), monthly_run_quota integer, is_active boolean, created_at timestamp);
INSERT INTO plans VALUES
    (1, 'Basic', 100, true, '2025-01-01 00:00:00'),
    (2, 'Broken', -5, true, '2025-01-01 00:00:00'),
    (3, 'Gone', 50, false, '2025-01-01 00:00:00'),
    (4, 'Basic', 10, true, '2025-01-02 00:00:00');

CREATE TABLE tenants (
    id serial PRIMARY KEY, slug varchar(80), name varchar(200), contact_email varchar(200), primary_color varchar(20),
    is_active boolean, created_at timestamp, updated_at timestamp
);
INSERT INTO tenants VALUES
    (1, 'ACME', 'Acme', 'it@acme.example', '#123456', true, '2025-02-01 10:00:00', '2025-02-01 10:00:00'),
    (2, 'acme ', 'Acme again', 'it@acme.example', NULL, true, '2025-02-02 10:00:00', NULL),
    (3, 'no slug!', 'Bad', 'it@bad.example', NULL, true, '2025-02-02 10:00:00', NULL),
    (4, 'globex', 'Globex', 'it@acme.example', 'reddish', false, '2025-02-03 10:00:00', '2025-06-01 10:00:00'),
    (5, 'nomail', 'No Mail', 'nowhere', NULL, true, '2025-02-03 10:00:00', NULL),
    (6, 'broken', 'On a broken plan', 'it@broken.example', NULL, true, '2025-02-03 10:00:00', NULL);

CREATE TABLE subscriptions (
    id serial PRIMARY KEY, tenant_id integer, plan_id integer, status varchar(20), start_date date, end_date date, created_at timestamp
);
INSERT INTO subscriptions VALUES
    (1, 1, 1, 'cancelled', '2025-02-01', '2025-03-01', '2025-02-01 10:00:00'),
    (2, 1, 1, 'active', '2026-11-01', '2026-12-01', '2025-03-01 10:00:00'),
    (3, 2, 1, 'active', NULL, NULL, '2025-03-01 10:00:00'),
    (4, 4, 3, 'trial', '2026-11-01', '2026-10-01', '2025-03-01 10:00:00'),
    (5, 6, 2, 'active', NULL, NULL, '2025-03-01 10:00:00'),
    (6, 5, 1, 'active', NULL, NULL, '2025-03-01 10:00:00');

CREATE TABLE activation_codes (
    id serial PRIMARY KEY, tenant_id integer, code varchar(40), code_hash varchar(64), label varchar(200), is_used boolean,
    used_at timestamp, is_revoked boolean, expires_at timestamp, created_at timestamp
);
CREATE FUNCTION older(text) RETURNS text LANGUAGE sql AS $$ SELECT encode(sha256(convert_to('pepper-canary-1f9c' || $1, 'UTF8')), 'hex') $$;
INSERT INTO activation_codes
SELECT id, tenant_id, text, older(text), label, used, used_at, revoked, expires_at, '2025-04-01 10:00:00' FROM (VALUES
    (1, 1, 'LULU-2345-ABCD-EFGH', 'Spring', false, NULL::timestamp, false, NULL::timestamp),
    (2, 1, 'LULU-2345-ABCD-EFGJ', NULL, true, now() AT TIME ZONE 'UTC', false, NULL),
    (3, 1, 'LULU-2345-ABCD-EFGK', NULL, true, '2025-05-01 10:00:00', false, NULL),
    (4, 1, 'LULU-2345-ABCD-EFGL', NULL, false, NULL, true, NULL),
    (5, 1, 'LULU-2345-ABCD-EFGM', NULL, false, NULL, false, '2025-06-01 10:00:00'),
    (6, 2, 'LULU-2345-ABCD-EFGN', NULL, false, NULL, false, NULL),
    (7, 99, 'LULU-2345-ABCD-EFGP', NULL, false, NULL, false, NULL),
    (8, 4, 'LULU-2345-ABCD-EFGQ', NULL, false, NULL, false, NULL),
    (9, 1, 'LULU-2345-ABCD-EFGH', NULL, false, NULL, false, NULL)
) AS codes (id, tenant_id, text, label, used, used_at, revoked, expires_at);
INSERT INTO activation_codes (id, tenant_id, code_hash) VALUES (10, 1, 'no hash');

CREATE TABLE llm_project_config (
    id serial PRIMARY KEY, project_id varchar(200), tenant_id integer, activation_code_id integer, client_name varchar(300),
    description text, project_status varchar(20), started_at timestamp, created_at timestamp
);
INSERT INTO llm_project_config VALUES
    (1, 'Site_One', 1, 2, 'Site one', 'First', 'active', now() AT TIME ZONE 'UTC', '2025-04-02 10:00:00'),
    (2, 'site-two', 1, 2, 'Site two', NULL, 'active', '2025-05-03 10:00:00', '2025-05-02 10:00:00'),
    (3, 'site-three', 1, NULL, 'Site three', NULL, 'pending', NULL, '2025-05-02 10:00:00'),
    (4, 'old-site', NULL, NULL, 'From before', NULL, 'active', NULL, '2024-05-02 10:00:00'),
    (5, 'older-site', NULL, 3, NULL, NULL, NULL, NULL, '2024-05-02 10:00:00'),
    (6, 'lost', 99, NULL, 'Lost', NULL, 'active', NULL, '2024-05-02 10:00:00'),
    (7, 'site-two', 1, NULL, 'Twice', NULL, 'active', NULL, '2024-05-02 10:00:00'),
    (8, 'odd', 1, NULL, 'Odd', NULL, 'dancing', NULL, '2024-05-02 10:00:00');
