#pragma once

#include "base/result.h"
#include "ledger/authority.h"
#include "ledger/event.h"
#include "pki/certificate.h"

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::ledger {

/// Whose keys have to sign a line for it to be believed. Fingerprints of CAs of the ledger.
struct KeysNeeded {
  std::vector<std::string> all = {};  ///< each of these
  bool any = false;                   ///< or that of any root, it does not matter which

  bool none() const { return all.empty() && !any; }
};

/// The CAs of a ledger and how they stand to each other: roots in generations, bridges between
/// them, issuing CAs and the intermediates of clusters. A fold over events, each asked for before
/// it is taken.
///
/// Who may sign what:
///
/// | what is minted | below |
/// | --- | --- |
/// | a root | itself |
/// | a bridge | a root, of another root's name and key |
/// | an issuing CA | a root |
/// | an intermediate | a root or an issuing CA |
///
/// and nothing below a root that is retired. A later root is minted while the one before is
/// current, and shares neither its name nor its key with anything before: chains are found by name
/// and key identifier, and where two roots have equal ones, Envoy and OpenSSL try one alone.
class Hierarchy {
 public:
  /// In the order in which they were minted.
  const std::vector<Authority>& authorities() const { return authorities_; }
  /// Null when this ledger did not issue it.
  const Authority* find(std::string_view fingerprint) const;

  /// Oldest first.
  std::vector<Root> roots() const;
  std::optional<Root> root(std::string_view fingerprint) const;
  /// The root that intermediates are minted below. None before the first.
  std::optional<Root> current() const;
  /// The one that was minted to follow, and waits. At most one.
  std::optional<Root> next() const;
  /// Whether the root of this fingerprint, or the one above this CA, is retired.
  bool is_retired(const Authority& authority) const;

  /// Whether `event` may follow, as far as it is about CAs. kNotFound for a fingerprint that was
  /// not issued here, kConflict when it contradicts what was before.
  base::Status may_follow(const Event& event) const;
  /// Takes an event that may follow.
  void take(const Event& event, base::Instant at);

  /// Whose key has to sign the line of `event`, which may follow: of what is minted the issuer, of
  /// a later root itself and the root before, of what is said of a root that root or the current
  /// one. Every CRL needs a key, as an older one takes a revocation back.
  KeysNeeded keys_needed(const Event& event) const;

  /// A CA that stands above a root, or did when something was minted; null when there is none.
  const pki::Certificate* find_above(std::string_view fingerprint) const;
  /// The root or issuing CA that signed `certificate`, by name and key identifier; null when there
  /// is none. It is never a bridge: that has name and key of a root.
  const Authority* issuer_of(const pki::Certificate& certificate) const;

 private:
  /// What is true of a root alone, beside its entry in `authorities_`.
  struct Generation {
    std::size_t place = 0;  // in `authorities_`
    std::string after = {};
    Voucher voucher = Voucher::kPredecessor;
    std::string key_digest = {};
    bool was_activated = false;
    bool is_retired = false;
    bool key_is_destroyed = false;
  };

  const Generation* find_generation(std::string_view fingerprint) const;
  Generation& generation(std::string_view fingerprint);
  Root describe(const Generation& generation) const;
  /// The root itself, or that above the CA.
  const Generation* generation_of(const Authority& authority) const;

  base::Status may_mint(const Event& event, const pki::Certificate& certificate) const;
  base::Status may_mint_root(const pki::Certificate& certificate) const;
  base::Status may_mint_next(const NextRootMinted& event) const;
  base::Status may_mint_below(AuthorityKind kind, const pki::Certificate& certificate) const;
  base::Status may_activate(const RootActivated& event) const;
  base::Status may_retire(const RootRetired& event) const;
  base::Status may_destroy(const KeyDestroyed& event) const;
  base::Status may_subordinate(const Subordinated& event) const;
  base::Status may_deliver(const std::string& fingerprint, bool is_pushing) const;
  base::Status may_revoke(const std::string& fingerprint, bool revokes) const;
  base::Result<const Authority*> issued_here(const std::string& fingerprint) const;
  base::Result<const Generation*> root_here(const std::string& fingerprint) const;

  void mint(Authority authority);
  void mint_root(const pki::Certificate& certificate, base::Instant at, Generation generation);
  void deliver(const std::string& fingerprint, Delivery state, base::Instant at, bool was_written);
  Authority& entry(std::string_view fingerprint);

  std::vector<Authority> authorities_;
  std::map<std::string, std::size_t, std::less<>> position_;    // in `authorities_`, by fingerprint
  std::map<base::Bytes, std::vector<std::size_t>> of_subject_;  // the same, by name
  std::vector<Generation> generations_;
  std::size_t current_ = 0;  // in `generations_`
};

}  // namespace meshtrust::ledger
