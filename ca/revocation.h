#pragma once

#include "base/result.h"
#include "base/time.h"
#include "ca/store.h"
#include "pki/key.h"
#include "pki/revocation_list.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::ca {

/// The reasons that a person may give (RFC 5280 5.3.1).
std::vector<std::string> revocation_reasons();

/// Whether the certificate is the one that its cluster lives on: in force, and nothing pushed later
/// that is in force and not revoked. Files that a person got are no successor of what was read back
/// from a cluster.
bool is_last_of_its_cluster(const TrustStore& store, const LedgerEntry& entry, base::Instant at);

/// Which of a cluster's certificates its name stands for.
enum class Wanted { kInUse, kRevoked };

/// The certificate that `name` means: a fingerprint (16 digits at least, blanks and colons
/// forgiven), or a cluster, of which the one that was pushed, is in force and not revoked (or is
/// revoked); where none was pushed, the newest. kNotFound when there is none, kUsage when it may be
/// several.
base::Result<LedgerEntry> find_issued(const TrustStore& store,
                                      std::string_view name,
                                      Wanted wanted);

struct ListRequest {
  base::Seconds lifetime = base::days(90);  ///< of the root's list; the others end with their CA
  /// Of CAs whose key is elsewhere: of this store's issue, or above its root. The ledger keeps
  /// them. And of the root itself, from another copy of this store: those are not kept, the new one
  /// is numbered above them.
  std::vector<pki::RevocationList> supplied = {};
  /// The greatest number of a list of this root that is known to be anywhere, hex as
  /// `RevocationListFacts` has it: the new one is above it, and above the ledger's. What was seen
  /// in clusters goes in here, so that an older copy of a store repeats no number.
  std::optional<std::string> at_least_above = {};
};

/// A set of lists as a whole mesh needs it, the same in every cluster.
struct ListSet {
  std::vector<pki::RevocationList> lists;
  std::vector<pki::Certificate> authorities;  ///< of whom there is one each

  /// The one that ends first. There is one.
  const pki::RevocationList& first_to_end() const;
};

/// The CAs of this store, or above it, that some chain may hold and of which it knows no list in
/// force, but for the root, whose list can be made.
base::Result<std::vector<pki::Certificate>> lacking_a_list(const TrustStore& store);

/// The newest list of every CA that some chain of the mesh may hold, as far as this store has made
/// or been given one: the root's first, then those of CAs above it and those of intermediates,
/// oldest first; a CA that has ended is left out. Makes nothing, and says nothing about gaps.
base::Result<ListSet> newest_lists(const TrustStore& store);

/// kRefused, naming every CA, when one of `set` is without a list in force: Envoy would refuse its
/// whole cluster, and istiod might not start.
base::Status refuse_gaps(const ListSet& set, base::Instant at);

/// One list in force for every CA that some chain of the mesh may hold: the root, and every
/// intermediate of this store that is in force and not known to be unused, revoked ones too. The
/// root's is made now, with a number larger than any before (RFC 5280 5.2.3), and recorded before
/// this returns; those of intermediates were made with them, or are among `supplied`.
///
/// kInvalidInput for an `at_least_above` that is no number. kRefused where `refuse_gaps` says so,
/// when no number of 20 octets is left, the lifetime asked for is shorter than a week, the
/// file would exceed what a Secret holds, a list was supplied that is of none of these CAs or of
/// an intermediate whose lists are made here, or has no end, or one revokes what this ledger did
/// not revoke.
base::Result<ListSet> make_lists(TrustStore& store,
                                 const StoreLock& lock,
                                 const pki::Signer& root_key,
                                 const ListRequest& request,
                                 const Who& who);

}  // namespace meshtrust::ca
