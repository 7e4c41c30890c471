#include "base/text.h"
#include "ca/sign_head.h"
#include "ca/store_state.h"
#include "ledger/codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

// Adding lines to a store, and signing them.

namespace meshtrust::ca {
namespace {

using base::Code;
using base::fail;
using base::Result;
using base::Status;
using ledger::Authority;
using ledger::AuthorityKind;
using ledger::Event;
using ledger::Ledger;
using ledger::Record;
using ledger::SignedHead;

/// Names of the events that no key has signed yet, each once, in their order.
std::vector<std::string> unsigned_events(const Ledger& ledger) {
  std::vector<std::string> names;
  const auto first = static_cast<std::size_t>(ledger.signed_lines());
  for (const Record& record : std::span(ledger.records()).subspan(first)) {
    std::string name(name_of(record.event));
    if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
  }
  return names;
}

/// What others have added without the key is believed more from now on than until now, so whoever
/// holds the key hears of it. `ledger` is as it was before the line that is signed.
void tell_what_is_signed(const Environment& environment, const Ledger& ledger) {
  const auto lines = static_cast<std::int64_t>(ledger.records().size());
  const bool has_root = ledger.hierarchy().current().has_value();
  if (!environment.tell || !has_root || ledger.signed_lines() == lines) return;
  environment.tell(
      ledger.signed_lines() == 0
          ? fmt::format("the ledger, which no key had signed, is signed by the root's from now on")
          : fmt::format("the root's key now also signs what was recorded without it since line {}: "
                        "{}",
                        ledger.signed_lines(), base::join(unsigned_events(ledger), ", ")));
}

/// The CA of the ledger, or the one that is being minted, whose key this is. kRefused for a key of
/// nobody's, and of a retired root, which signs no more.
Result<pki::Certificate> owner_of(const pki::Signer& key,
                                  const Ledger& ledger,
                                  const pki::Certificate* minted) {
  const std::string id = pki::key_id(key.public_key());
  const bool is_its_own = minted != nullptr && minted->is_self_signed();
  if (is_its_own && minted->facts().key_id == id) return *minted;
  const auto& authorities = ledger.hierarchy().authorities();
  const auto found = std::ranges::find_if(authorities, [&id](const Authority& one) {
    const bool may_sign = one.kind == AuthorityKind::kRoot || one.kind == AuthorityKind::kIssuing;
    return may_sign && one.certificate.facts().key_id == id;
  });
  const auto current = ledger.hierarchy().current();
  MESHTRUST_CHECK(found != authorities.end() || current || is_its_own);
  if (found == authorities.end()) {
    const auto& facts = current ? current->certificate.facts() : minted->facts();
    return fail(Code::kRefused, fmt::format("the key that is to sign the ledger is not the key of "
                                            "'{}'",
                                            facts.subject));
  }
  if (!ledger.hierarchy().is_retired(*found)) return found->certificate;
  return fail(Code::kRefused, fmt::format("the root of '{}' is retired: its key signs no more",
                                          found->certificate.facts().subject));
}

Result<std::vector<SignedHead>> sign_heads(const RootKeys& keys,
                                           const Ledger& ledger,
                                           const pki::Certificate* minted,
                                           std::int64_t sequence,
                                           std::string_view digest) {
  std::vector<SignedHead> heads;
  for (const pki::Signer* key : keys) {
    MESHTRUST_TRY(const pki::Certificate owner, owner_of(*key, ledger, minted));
    MESHTRUST_TRY(SignedHead head, sign_head(owner, *key, sequence, digest));
    heads.push_back(std::move(head));
  }
  return heads;
}

/// Whether everybody has signed without whom the event is never recorded.
Status check_keys(const Event& event, const Ledger& ledger, std::span<const SignedHead> heads) {
  const ledger::KeysNeeded needed = ledger.hierarchy().keys_needed(event);
  const bool has_all = std::ranges::all_of(needed.all, [&](const std::string& wanted) {
    return std::ranges::find(heads, wanted, &SignedHead::root) != heads.end();
  });
  if (has_all && (!needed.any || !heads.empty())) return {};
  if (heads.empty()) {
    return fail(Code::kRefused, fmt::format("'{}' is recorded only with the root's key open, which "
                                            "signs the record",
                                            name_of(event)));
  }
  const auto missing = std::ranges::find_if(needed.all, [&](const std::string& wanted) {
    return std::ranges::find(heads, wanted, &SignedHead::root) == heads.end();
  });
  const Authority* authority = ledger.hierarchy().find(*missing);
  return fail(
      Code::kRefused,
      fmt::format("'{}' is recorded only with the key of '{}' open, which signs the record",
                  name_of(event),
                  authority == nullptr ? *missing : authority->certificate.facts().subject));
}

/// Whether the roots, or what stands in the store beside them, are others afterwards.
bool is_about_roots(const Event& event) {
  return std::visit(ledger::Overloaded{[](const ledger::RootMinted&) { return true; },
                                       [](const ledger::NextRootMinted&) { return true; },
                                       [](const ledger::RootActivated&) { return true; },
                                       [](const ledger::RootRetired&) { return true; },
                                       [](const ledger::KeyDestroyed&) { return true; },
                                       [](const ledger::Subordinated&) { return true; },
                                       [](const auto&) { return false; }},
                    event);
}

/// The fingerprint in an event about a delivery, whose cluster becomes that of the certificate.
std::string complete_delivery(Event& event, const TrustStore& store) {
  return std::visit(
      [&store](auto& one) -> std::string {
        if constexpr (requires {
                        one.fingerprint;
                        one.cluster;
                      }) {
          if (const auto entry = store.find(one.fingerprint)) one.cluster = entry->cluster;
          return one.fingerprint;
        } else {
          return {};
        }
      },
      event);
}

}  // namespace

Coverage TrustStore::coverage() const {
  return ask([](const Ledger& ledger) {
    return Coverage{.lines = static_cast<std::int64_t>(ledger.records().size()),
                    .signed_lines = ledger.signed_lines(),
                    .since = unsigned_events(ledger)};
  });
}

Status TrustStore::record(const StoreLock& lock,
                          Event event,
                          const ledger::Who& who,
                          const RootKeys& keys) {
  MESHTRUST_CHECK(std::holds_alternative<ledger::Pushing>(event) ||
                  std::holds_alternative<ledger::Pushed>(event) ||
                  std::holds_alternative<ledger::Abandoned>(event));
  const auto entry = find(complete_delivery(event, *this));
  const bool is_nothing_new = entry && name_of(entry->state) == name_of(event);
  if (!is_nothing_new) return append(lock, who, std::move(event), keys);
  for (const pki::Signer* key : keys) {
    MESHTRUST_TRY_DO(sign(lock, *key));
  }
  return {};
}

Status TrustStore::append(const StoreLock& lock,
                          const ledger::Who& who,
                          Event event,
                          const RootKeys& keys) {
  const auto guard = hold();
  Ledger& ledger = state_->content.ledger;
  MESHTRUST_TRY_DO(ledger.may_append(event));
  ledger::Line line = ledger::line_of(event);
  line.sequence = static_cast<std::int64_t>(ledger.records().size()) + 1;
  line.at = state_->environment.clock.now();
  line.who = who;
  const std::string digest = ledger::chain_digest(ledger.head(), line);
  const pki::Certificate* minted = minted_by(event);
  MESHTRUST_TRY(const std::vector<SignedHead> heads,
                sign_heads(keys, ledger, minted, line.sequence, digest));
  MESHTRUST_TRY_DO(check_keys(event, ledger, heads));
  MESHTRUST_TRY_DO(lock.writer_->append({.line = line,
                                         .digest = digest,
                                         .minted = minted,
                                         .heads = heads,
                                         .format = ledger::format_of(event)}));
  if (!heads.empty()) tell_what_is_signed(state_->environment, ledger);
  // Who mints a root knows it, and reads it again below.
  if (const auto* next = std::get_if<ledger::NextRootMinted>(&event)) {
    state_->vouched.push_back(next->certificate.fingerprint());
  }
  const bool changes_roots = is_about_roots(event);
  ledger.append({.sequence = line.sequence, .at = line.at, .who = who, .event = std::move(event)},
                digest);
  for (const SignedHead& head : heads) {
    ledger.note_signed(head.root);
  }
  if (!changes_roots) return {};
  MESHTRUST_TRY(state_->content.roots, find_roots(*state_->custody, ledger));
  return {};
}

Status TrustStore::sign(const StoreLock& lock, const pki::Signer& root_key) {
  const auto guard = hold();
  Ledger& ledger = state_->content.ledger;
  const auto lines = static_cast<std::int64_t>(ledger.records().size());
  if (ledger.signed_lines() == lines) return {};
  MESHTRUST_TRY(const std::vector<SignedHead> heads,
                sign_heads(root_key, ledger, nullptr, lines, ledger.head()));
  MESHTRUST_TRY_DO(lock.writer_->sign(heads.front()));
  tell_what_is_signed(state_->environment, ledger);
  ledger.note_signed(heads.front().root);
  return {};
}

}  // namespace meshtrust::ca
