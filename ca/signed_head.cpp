#include "ca/signed_head.h"

#include <fmt/format.h>

#include <utility>

namespace meshtrust::ca {

using base::Code;
using base::fail;
using base::Result;

std::string head_message(std::int64_t sequence, std::string_view digest) {
  return fmt::format("meshtrust ledger head v1\nline {}\nsha256 {}\n", sequence, digest);
}

Result<SignedHead> sign_head(const pki::Certificate& root,
                             const pki::Signer& key,
                             std::int64_t sequence,
                             std::string_view digest) {
  const std::string message = head_message(sequence, digest);
  // Before anything is signed: a key of somebody else's must not sign for him here.
  if (pki::key_id(key.public_key()) != root.facts().key_id) {
    return fail(Code::kRefused, fmt::format("the key that is to sign the ledger is not the key of "
                                            "'{}'",
                                            root.facts().subject));
  }
  MESHTRUST_TRY(base::Bytes signature, key.sign(base::as_bytes(message)));
  SignedHead head{
      .root = root.fingerprint(), .sequence = sequence, .signature = std::move(signature)};
  if (verifies(head, root, digest)) return head;
  return fail(Code::kInternal, fmt::format("the new signature over the ledger does not verify with "
                                           "the key of '{}'",
                                           root.facts().subject));
}

bool verifies(const SignedHead& head, const pki::Certificate& root, std::string_view digest) {
  const std::string message = head_message(head.sequence, digest);
  return root.has_signed(base::as_bytes(message), head.signature);
}

}  // namespace meshtrust::ca
