-- What users answered before answers belonged to accounts (0012): until then STOP was stored for the contact alone. What
-- they have asked for since is there already.
INSERT INTO crm_account_opt_outs (person, list, at)
SELECT t.person, 0, c.opted_out_at FROM crm_deliveries d JOIN crm_talks t ON t.conversation = d.conversation
JOIN crm_contacts c ON c.key = d.contact WHERE d.stopped_at IS NOT NULL AND c.opted_out_at IS NOT NULL
UNION ALL
SELECT t.person, o.list, o.at FROM crm_deliveries d JOIN crm_talks t ON t.conversation = d.conversation
JOIN crm_opt_outs o ON o.contact = d.contact WHERE d.stopped_at IS NOT NULL
ON CONFLICT DO NOTHING;
