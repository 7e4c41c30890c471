#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "ca/signed_head.h"
#include "pki/certificate.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace meshtrust::ca {

/// On whose behalf something is written into the ledger. Plain values: the cli finds them out.
struct Who {
  std::string user = {};     ///< "alice"
  std::string host = {};     ///< "laptop"
  std::string command = {};  ///< "meshtrust apply --only trust"; never holds a secret
  std::string reason = {};   ///< `--reason`; may be empty
};

enum class AuthorityKind { kRoot, kIntermediate };
/// "root", "intermediate".
std::string_view name_of(AuthorityKind kind);

/// How far a certificate got on its way to its cluster. Minted and pushing ones may never have
/// arrived: whoever observes the cluster decides.
enum class Delivery { kMinted, kPushing, kPushed, kAbandoned };
/// "minted", "pushing", "pushed", "abandoned".
std::string_view name_of(Delivery delivery);

/// What the ledger records. Nothing is ever changed or removed in it, so what is true now is what
/// the events say when read in order.
enum class Event {
  kStoreCreated,
  kKeyPlanned,    ///< a root key with the id in `detail` is about to be written
  kKeyDiscarded,  ///< that key never signed anything that left the process, and is gone
  kRootMinted,
  kIntermediateMinted,
  kPushing,    ///< the request that carries the key is about to be sent
  kPushed,     ///< read back from where it was sent
  kAbandoned,  ///< known not to be in use anywhere
  kRevoked,    ///< on every list of its issuer from now on; `detail` is the reason
  kUnrevoked,  ///< no more
  kListMade,   ///< a revocation list of the certificate, its DER in base64 in `detail`
  kListGiven,  ///< of a CA that stands above the root, or did; `detail` is `given_text`
  kRequested,  ///< a key waits in the store for a certificate from elsewhere; `detail` is its name
               ///< and the SHA-256 of its file
  kRequestClosed,  ///< it waits no more: imported, or given up
  kLockBroken,     ///< the Lease of `cluster` was taken from whom `detail` names
  kSubordinated,   ///< a CA above has certified the root's key; `detail` is `above_text`
};
/// "store-created", "key-planned", ..., "abandoned".
std::string_view name_of(Event event);
std::optional<Event> event_from_name(std::string_view name);
/// Whether it comes with a certificate.
bool is_minting(Event event);

/// How the detail of `kPushed` begins where a person got files and nobody knows what became of
/// them.
inline constexpr std::string_view kWrittenTo = "written to ";

/// One line of the log.
struct Action {
  std::int64_t sequence = 0;  ///< from 1, without gaps
  base::Instant at = {};
  Who who = {};
  Event event = Event::kStoreCreated;
  std::string fingerprint = {};  ///< of the certificate it is about; empty when about none
  std::string cluster = {};      ///< of an intermediate; else empty
  std::string detail = {};
};

/// That a certificate is to be on the lists of its issuer.
struct Revocation {
  base::Instant at;
  std::string reason;  ///< "keyCompromise", ... (RFC 5280 5.3.1); empty for none
};

/// One certificate that this ledger issued. Everything else about it stands in
/// `certificate.facts()`.
struct LedgerEntry {
  pki::Certificate certificate;
  AuthorityKind kind;
  std::string cluster;  ///< of an intermediate; empty for a root
  std::string issuer;   ///< fingerprint of the issuing certificate; its own for a root
  base::Instant minted_at;
  Delivery state = Delivery::kMinted;
  base::Instant state_since;
  bool was_written = false;  ///< pushed, as files to a person: see `kWrittenTo`
  std::optional<Revocation> revoked = {};
  std::string newest_list = {};  ///< DER of the last list made of this CA, in base64; or empty
  /// Of a root below another organisation's CA: its own certificate by that CA, then what is above
  /// it, the self-signed one last. Empty for a root that stands by itself. Of an intermediate what
  /// stood above its root when it was minted, which is what its cluster presents and trusts.
  std::vector<pki::Certificate> above = {};
  /// Of a root: the last list that was given of CAs that stand above it or did, by fingerprint of
  /// the CA, like `newest_list`.
  std::map<std::string, std::string, std::less<>> lists_above = {};

  const std::string& fingerprint() const { return certificate.fingerprint(); }
  /// Whether it is an intermediate that some chain may still hold.
  bool may_be_in_use(base::Instant at) const;
};

/// A key that waits in the store until somebody elsewhere has signed its request.
struct PendingRequest {
  std::string key_name;  ///< see the function of that name
  std::string cluster;
  base::Instant since;
  std::string file_digest = {};  ///< SHA-256 of the key file as it was written
};

/// `above` as the ledger keeps it, in one line; and back.
std::string above_text(const std::vector<pki::Certificate>& above);
base::Result<std::vector<pki::Certificate>> above_from(std::string_view text);

/// How the ledger keeps a list of a CA above a root: the fingerprint of that CA, and the list.
std::string given_text(const pki::Certificate& authority, const base::Bytes& list);
/// The fingerprint of the CA, and the list in base64, of a line that records that.
std::pair<std::string, std::string> given_list(const Action& action);

/// What a key is called, in the ledger and on disk: the first 16 digits of its key id.
std::string key_name(std::string_view key_id);
std::string key_name(const pki::Certificate& root);

/// A row of the database's certificate table.
struct IssuedCertificate {
  std::string fingerprint;  ///< SHA-256 of `der`, lower-case hex
  base::Bytes der;
};

/// A ledger as it lies on disk.
struct LedgerRows {
  std::vector<Action> actions = {};
  std::vector<std::string> digests = {};  ///< one for each action
  std::vector<IssuedCertificate> certificates = {};
  std::vector<SignedHead> heads = {};  ///< at most one of each signer
  /// Whether a root of it always comes with a signature. False for one that an older meshtrust
  /// wrote.
  bool is_always_signed = true;
};

/// Called every now and then while much is read.
using Pulse = std::function<void()>;

/// What has been issued and done, in memory. Pure: made from rows, and asked before one is added.
class Ledger {
 public:
  /// kCorrupt, naming the line, when a digest does not follow from its line and the one before, a
  /// certificate does not parse or is not what its fingerprint says, an event contradicts those
  /// before it, or the signature over the head does not hold: it does not verify, is over a line
  /// that is not there, is missing, or something stands behind it that only the root's key can do.
  /// Certificates and lists behind what is signed are verified against their issuers' keys; those
  /// before were when it was signed.
  static base::Result<Ledger> assemble(LedgerRows rows, const Pulse& pulse = {});

  const std::vector<Action>& actions() const { return actions_; }
  /// In the order in which they were minted.
  const std::vector<LedgerEntry>& entries() const { return entries_; }
  /// Null when this ledger did not issue it.
  const LedgerEntry* find(std::string_view fingerprint) const;
  /// Ids of root keys that were planned and neither became a root nor were discarded.
  const std::vector<std::string>& planned_keys() const { return planned_keys_; }
  /// Oldest first.
  const std::vector<PendingRequest>& requests() const { return requests_; }
  /// The digest of the last line; empty for an empty ledger.
  const std::string& head() const { return head_; }
  /// How many lines a root's key has signed; 0 for none.
  std::int64_t signed_lines() const { return signed_lines_; }
  /// That the ledger has been signed up to its last line.
  void note_signed() { signed_lines_ = static_cast<std::int64_t>(actions_.size()); }

  /// Whether `action` may follow; `certificate` is the one that it mints, else null. kNotFound for
  /// a fingerprint that was not issued here, kConflict when it contradicts the lines before it.
  base::Status may_append(const Action& action, const pki::Certificate* certificate) const;
  /// Adds a line that may follow. Its sequence number must be the next one.
  void append(Action action, const pki::Certificate* certificate);

 private:
  /// One root, as nothing says yet which of several may sign for which: a later one would have to
  /// be minted under the signature of the one before, and sign as well.
  base::Status may_mint(const Action& action, const pki::Certificate* certificate) const;
  bool has_root() const;
  base::Status may_deliver(const Action& action) const;
  base::Status may_revoke(const Action& action) const;
  base::Status may_be_given(const Action& action) const;
  base::Status may_request(const Action& action) const;
  base::Status may_subordinate(const Action& action) const;
  /// The entry that signed `certificate`, by name and key identifier; null when there is none.
  const LedgerEntry* issuer_of(const pki::Certificate& certificate) const;
  /// A CA that stands above a root, or did when something was minted; null when there is none.
  const pki::Certificate* find_above(std::string_view fingerprint) const;
  void mint(const Action& action, const pki::Certificate& certificate);
  base::Status check_unsigned(const Action& action, const pki::Certificate* certificate) const;

  std::vector<Action> actions_;
  std::vector<LedgerEntry> entries_;
  std::map<std::string, std::size_t, std::less<>> position_;    // in `entries_`, by fingerprint
  std::map<base::Bytes, std::vector<std::size_t>> of_subject_;  // the same, by name
  std::vector<std::string> planned_keys_;
  std::vector<PendingRequest> requests_;
  std::string head_;
  std::int64_t signed_lines_ = 0;
};

/// Whether only who has the root's key may add such a line: what is minted, what is trusted above a
/// root, and every list, as an older one takes a revocation back.
bool needs_root_key(Event event);

/// The digest that ties `action` to everything before it: SHA-256, in hex, over `previous` and the
/// fields of `action`, each with its length in front. A flipped bit anywhere shows; whoever can
/// compute SHA-256 can write another chain, which is what the signed head is against.
std::string chain_digest(std::string_view previous, const Action& action);

}  // namespace meshtrust::ca
