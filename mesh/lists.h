#pragma once

#include "base/time.h"
#include "mesh/observation.h"
#include "pki/certificate.h"
#include "pki/revocation_list.h"
#include "pki/verify.h"
#include "profiles/mesh.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::mesh {

/// Whether Envoy, which looks up every CA of a chain and its root (check-whole-chain), accepts the
/// CAs `chain` under one of `roots` by the lists in `pem`; nothing where there are no lists.
std::optional<pki::Verdict> judge_by_lists(const std::vector<pki::Certificate>& chain,
                                           const std::vector<pki::Certificate>& roots,
                                           std::string_view pem,
                                           base::Instant at);

/// A live revocation list that says more than the store knows.
struct NewerList {
  pki::RevocationList list;
  std::optional<pki::RevocationList> newest;  ///< of the same CA, that the store has
  bool is_of_root = false;                    ///< of a root of this store: another copy made it
  /// Serial numbers that it names and the ledger does not know as revoked; lower-case hex.
  std::vector<std::string> unknown = {};
};

/// Those among `lists` that can be believed and that `store` should know and does not. Of a root
/// of the store: a list that this store did not make and that is no older than its newest (by
/// number, RFC 5280 5.2.3, or by date) or names what the ledger does not know as revoked. Of
/// another CA, one of `authorities`: a list that is newer than the one that the store keeps; where
/// it keeps none there is nothing to compare. Each once.
std::vector<NewerList> newer_lists(std::span<const pki::RevocationList> lists,
                                   const StoreFacts& store,
                                   std::span<const pki::Certificate> authorities,
                                   base::Instant at);

/// The CAs of others that stand above a root of the store, or stood there.
std::vector<pki::Certificate> authorities_above(const StoreFacts& store);

/// Those among `lists` that bear the name of the store's root and that its key did not sign.
std::vector<pki::RevocationList> forged_lists(std::span<const pki::RevocationList> lists,
                                              const StoreFacts& store);

/// Serial numbers of the intermediates below the root that signs which its list has to name:
/// revoked, and at `at` not over yet.
std::vector<std::string> revoked_at(const StoreFacts& store, base::Instant at);

/// The list that the root needs next.
struct NextList {
  std::string why;          ///< in words that end a step's line
  bool is_in_time = false;  ///< the one before says what there is to say, and is not over yet
};

/// Nothing when the list that the root has will do. `store` is null where the root is yet to be
/// minted.
///
/// A list is replaced in the second half of its time: whoever runs apply on schedule has that half
/// to notice that it no longer runs (an expired list is an outage).
std::optional<NextList> next_list(const StoreFacts* store,
                                  const profiles::CrlProfile& crl,
                                  base::Instant at);

}  // namespace meshtrust::mesh
