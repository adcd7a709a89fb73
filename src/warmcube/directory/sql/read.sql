-- name: lock
-- Before the snapshot is taken, so that no TRUNCATE that commits in between empties a table.
LOCK TABLE {schema}.organizations, {schema}.organization_practices, {schema}.roles,
    {schema}.role_permissions, {schema}.users, {schema}.user_organizations, {schema}.user_roles,
    {schema}.user_providers IN ACCESS SHARE MODE

-- name: announced
-- Whether all eight tables have their trigger, and none is disabled.
SELECT count(DISTINCT c.relname) = 8
FROM pg_trigger t
JOIN pg_class c ON c.oid = t.tgrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND t.tgname = 'announce' AND t.tgenabled IN ('O', 'A')
    AND c.relname IN (
        'organizations', 'organization_practices', 'roles', 'role_permissions', 'users',
        'user_organizations', 'user_roles', 'user_providers'
    )

-- name: organizations
SELECT id::text, name::text, parent_id::text, active, deleted_at IS NOT NULL
FROM {schema}.organizations ORDER BY 1, 2, 3, 4, 5

-- name: organization_practices
SELECT organization_id::text, practice_id::text FROM {schema}.organization_practices ORDER BY 1, 2

-- name: roles
SELECT id::text, name::text, active, deleted_at IS NOT NULL
FROM {schema}.roles ORDER BY 1, 2, 3, 4

-- name: role_permissions
SELECT role_id::text, permission::text FROM {schema}.role_permissions ORDER BY 1, 2

-- name: users
SELECT id::text, name::text, active, deleted_at IS NOT NULL
FROM {schema}.users ORDER BY 1, 2, 3, 4

-- name: user_organizations
SELECT user_id::text, organization_id::text FROM {schema}.user_organizations ORDER BY 1, 2

-- name: user_roles
-- What Python's calendar lacks: a role until 'infinity' never ends, one until '-infinity' has ended.
SELECT user_id::text, role_id::text, organization_id::text,
    CASE
        WHEN expires_at < '9999-01-01Z' THEN greatest(expires_at, '0002-01-01Z')
    END
FROM {schema}.user_roles ORDER BY 1, 2, 3, 4

-- name: user_providers
SELECT user_id::text, practice_id::text, provider_id::text
FROM {schema}.user_providers ORDER BY 1, 2, 3
