-- Rows of imports that have nothing else are found by their phone number.
CREATE INDEX crm_contacts_phone ON crm_contacts (phone_key) WHERE phone_key IS NOT NULL;
ALTER TABLE crm_import_names ADD COLUMN phone_key TEXT;
CREATE INDEX crm_import_names_phone ON crm_import_names (phone_key) WHERE phone_key IS NOT NULL;
CREATE INDEX crm_import_names_external ON crm_import_names (external_id) WHERE external_id IS NOT NULL;
