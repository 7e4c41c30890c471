#include "ca/sign_head.h"

#include <fmt/format.h>

#include <utility>

namespace meshtrust::ca {

using base::Code;
using base::fail;
using base::Result;
using ledger::SignedHead;

Result<SignedHead> sign_head(const pki::Certificate& authority,
                             const pki::Signer& key,
                             std::int64_t sequence,
                             std::string_view digest) {
  const std::string message = ledger::head_message(sequence, digest);
  // Before anything is signed: a key of somebody else's must not sign for him here.
  if (pki::key_id(key.public_key()) != authority.facts().key_id) {
    return fail(Code::kRefused, fmt::format("the key that is to sign the ledger is not the key of "
                                            "'{}'",
                                            authority.facts().subject));
  }
  MESHTRUST_TRY(base::Bytes signature, key.sign(base::as_bytes(message)));
  SignedHead head{
      .root = authority.fingerprint(), .sequence = sequence, .signature = std::move(signature)};
  if (ledger::verifies(head, authority, digest)) return head;
  return fail(Code::kInternal, fmt::format("the new signature over the ledger does not verify with "
                                           "the key of '{}'",
                                           authority.facts().subject));
}

}  // namespace meshtrust::ca
