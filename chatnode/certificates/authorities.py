"""The node's accounts at authorities."""

from __future__ import annotations

import attrs
import trio

from chatnode.acme.client import AcmeClient, Binding
from chatnode.acme.errors import AcmeError
from chatnode.acme.jws import AccountKey, unb64
from chatnode.certificates import x509
from chatnode.certificates.store import AcmeAccount, CertificateStore
from chatnode.config import Acme
from chatnode.outbound.client import Outbound


class Authorities:
    """Gives clients for directories. Each account has a key of its own, which is stored before it is used."""

    def __init__(self, settings: Acme, store: CertificateStore, outbound: Outbound) -> None:
        self._settings = settings
        self._store = store
        self._outbound = outbound

    async def connect(self, directory: str) -> AcmeClient:
        """A client that has read the directory. Raises `AcmeError` or `OSError`."""
        account = await self._account(directory)
        what = f"the account's key for {directory} in {self._store.directory}"
        return await self._opened(directory, account.key, what, account.url)

    async def without_account(self, directory: str, pem: str) -> AcmeClient:
        """A client that signs with the key of a certificate, which an authority accepts to revoke that (RFC 8555,
        section 7.6)."""
        return await self._opened(directory, pem, "the certificate's key")

    async def signed_in(self, directory: str) -> AcmeClient:
        """The same, with an account that exists and has the contact of the settings."""
        client, contact = await self.connect(directory), self._settings.contact
        account = await self._account(directory)
        if not client.account:
            await client.sign_up(contact, self._binding(directory))
        elif account.contact != contact:
            await client.change_contact(contact)
        now = AcmeAccount(account.key, client.account, contact)
        if now != account:
            await self._save(directory, now)
        return client

    async def forget(self, directory: str) -> None:
        """The authority does not know the account any more; the next time, it is opened again with the same key."""
        await self._save(directory, attrs.evolve(await self._account(directory), url=""))

    async def _opened(self, directory: str, key: str, what: str, account: str = "") -> AcmeClient:
        try:
            signer = await trio.to_thread.run_sync(AccountKey.of, key)
        except ValueError:
            raise AcmeError(f"{what} cannot be read") from None
        client = AcmeClient(self._outbound, directory, signer, account)
        await client.open()
        return client

    async def _account(self, directory: str) -> AcmeAccount:
        account = await trio.to_thread.run_sync(self._store.account, directory)
        if account is None:
            account = AcmeAccount(await trio.to_thread.run_sync(x509.new_key))
            await self._save(directory, account)
        return account

    async def _save(self, directory: str, account: AcmeAccount) -> None:
        await trio.to_thread.run_sync(self._store.save_account, directory, account)

    def _binding(self, directory: str) -> Binding | None:
        settings = self._settings
        if not settings.eab_kid or directory != settings.directory:
            return None
        return Binding(settings.eab_kid, unb64(settings.eab_key))
