-- Rows of imports that have nothing but a phone number are found by it together with the name, with which the words of a
-- contact begin: thousands of contacts may have one number.
DROP INDEX crm_contacts_phone;
CREATE INDEX crm_contacts_numbers ON crm_contacts (phone_key, words) WHERE phone_key IS NOT NULL;
