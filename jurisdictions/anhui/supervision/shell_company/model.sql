/* ---
title: {zh: 空壳公司异常开票, en: Shell company that issues and voids invoices and insures nobody}
function: administrative
legal_ground: {zh: 《公司法》第二百六十二条；《发票管理办法》第二十一条, en: "Company Law art. 262, Measures on Invoices art. 21"}
ground: shell_company
subject: company
severity: 3
spark: true
evidence: [tax_invoices, companies]
columns: [amount_cents, records, body_id, person_id, company_id, phone_id, family_id, address_id, lag_days, matched_by]
--- */
-- Three void invoices within two months or more, and nobody was ever insured there. Such clues go
-- to the city's office.
WITH found AS (
    SELECT
        company_id AS subject_id,
        sum(amount_cents) AS amount_cents,
        count(*) AS records,
        any_value(agency_id) AS body_id,
        max(issued_on) AS last_on,
        max(reported_on) AS reported_on,
        any_value(matched_by) AS matched_by,
        list('tax_invoices/' || record_no) AS invoices
    FROM tax_invoices
    WHERE status = 'void'
    GROUP BY company_id
    HAVING count(*) >= 3
)
SELECT
    f.subject_id,
    '-' AS ground_key,
    left(c.county_id, 4) AS office_id,
    f.amount_cents,
    f.records,
    f.body_id,
    c.legal_rep_id AS person_id,
    c.company_id,
    c.phone_id,
    s.family_id,
    c.address_id,
    date_diff('day', f.last_on, f.reported_on) AS lag_days,
    f.matched_by,
    list_concat(f.invoices, ['companies/' || c.record_no]) AS evidence
FROM found AS f
JOIN companies AS c ON c.company_id = f.subject_id
LEFT JOIN persons AS s ON s.person_id = c.legal_rep_id
WHERE NOT EXISTS (SELECT 1 FROM insurance_enrolment AS e WHERE e.company_id = f.subject_id)
