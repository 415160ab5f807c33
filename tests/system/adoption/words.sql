-- An older portal with text and UUID keys, words for what stands how, zoned timestamps, and no table of subscriptions.
CREATE TABLE plans (id varchar(40) PRIMARY KEY, plan_name text, monthly_quota numeric(10,0));
INSERT INTO plans VALUES ('gold', 'Gold', 20);

CREATE TABLE tenants (
    id uuid PRIMARY KEY, slug text, company_name text, email text, plan_id varchar(40), status text, created_at timestamptz
);
INSERT INTO tenants VALUES
    ('0b1a6d7e-94c1-4f0e-8f8e-6d1f6f1b2a3c', 'initech', 'Initech', 'it@initech.example', 'gold', 'active', '2025-02-01 10:00:00+05:45'),
    ('0b1a6d7e-94c1-4f0e-8f8e-6d1f6f1b2a3d', 'hooli', 'Hooli', 'it@hooli.example', 'silver', 'active', '2025-02-01 10:00:00+00');

CREATE TABLE activation_codes (
    id bigserial PRIMARY KEY, tenant_id uuid, code_hash bytea, status text, max_uses integer, use_count integer,
    used_by_project_id uuid, expires_at timestamptz, created_at timestamptz
);
INSERT INTO activation_codes
SELECT id, '0b1a6d7e-94c1-4f0e-8f8e-6d1f6f1b2a3c', sha256(convert_to('pepper-canary-1f9c' || text, 'UTF8')), status, most, uses, project,
    'infinity', '2025-04-01 10:00:00+00'
FROM (VALUES
    (1, 'WXYZ-2345-ABCD-EFGH', 'available', 3, 0, NULL::uuid),
    (2, 'WXYZ-2345-ABCD-EFGJ', 'used', 1, 1, '7c2b7e8f-05d2-4a1f-9a9f-7e2a7a2c3b4d'::uuid),
    (3, 'WXYZ-2345-ABCD-EFGK', 'revoked', 1, 0, NULL),
    (4, 'WXYZ-2345-ABCD-EFGM', 'active', 2, 5, NULL),
    (5, 'WXYZ-2345-ABCD-EFGN', 'lent', 1, 0, NULL)
) AS codes (id, text, status, most, uses, project);

CREATE TABLE llm_project_config (
    project_id uuid PRIMARY KEY, tenant_id uuid, name text, status text, priority integer, created_at timestamptz
);
INSERT INTO llm_project_config VALUES
    ('7c2b7e8f-05d2-4a1f-9a9f-7e2a7a2c3b4d', '0b1a6d7e-94c1-4f0e-8f8e-6d1f6f1b2a3c', 'Printer', 'running', 3, '2025-04-02 10:00:00+00'),
    ('7c2b7e8f-05d2-4a1f-9a9f-7e2a7a2c3b4e', NULL, 'Nobody''s', NULL, NULL, '2025-04-02 10:00:00+00');
