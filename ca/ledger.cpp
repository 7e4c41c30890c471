#include "ca/ledger.h"

#include "base/encoding.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace meshtrust::ca {
namespace {

using base::Code;
using base::fail;
using base::Result;
using base::Status;

struct NamedEvent {
  Event event;
  std::string_view name;
};

constexpr std::array kEvents{
    NamedEvent{Event::kStoreCreated, "store-created"},
    NamedEvent{Event::kKeyPlanned, "key-planned"},
    NamedEvent{Event::kKeyDiscarded, "key-discarded"},
    NamedEvent{Event::kRootMinted, "root-minted"},
    NamedEvent{Event::kIntermediateMinted, "intermediate-minted"},
    NamedEvent{Event::kPushing, "pushing"},
    NamedEvent{Event::kPushed, "pushed"},
    NamedEvent{Event::kAbandoned, "abandoned"},
    NamedEvent{Event::kRevoked, "revoked"},
    NamedEvent{Event::kUnrevoked, "unrevoked"},
    NamedEvent{Event::kListMade, "list-made"},
    NamedEvent{Event::kListGiven, "list-given"},
    NamedEvent{Event::kRequested, "requested"},
    NamedEvent{Event::kRequestClosed, "request-closed"},
    NamedEvent{Event::kSubordinated, "subordinated"},
    NamedEvent{Event::kLockBroken, "lock-broken"},
};

Delivery delivery_after(Event event) {
  if (event == Event::kPushing) return Delivery::kPushing;
  return event == Event::kPushed ? Delivery::kPushed : Delivery::kAbandoned;
}

bool is_delivery(Event event) {
  return event == Event::kPushing || event == Event::kPushed || event == Event::kAbandoned;
}

bool is_about_lists(Event event) {
  return event == Event::kRevoked || event == Event::kUnrevoked || event == Event::kListMade;
}

bool is_about_requests(Event event) {
  return event == Event::kRequested || event == Event::kRequestClosed;
}

/// The words before and after the first blank.
std::pair<std::string, std::string> two_words(const std::string& text) {
  const std::size_t blank = std::min(text.find(' '), text.size());
  return {text.substr(0, blank), text.substr(std::min(blank + 1, text.size()))};
}

/// The detail of such a line is the key's name and the digest of its file.
PendingRequest requested_key(const Action& action) {
  auto [name, digest] = two_words(action.detail);
  return {.key_name = std::move(name),
          .cluster = action.cluster,
          .since = action.at,
          .file_digest = std::move(digest)};
}

}  // namespace

std::string_view name_of(AuthorityKind kind) {
  return kind == AuthorityKind::kRoot ? "root" : "intermediate";
}

std::string_view name_of(Delivery delivery) {
  switch (delivery) {
    case Delivery::kMinted:
      return "minted";
    case Delivery::kPushing:
      return "pushing";
    case Delivery::kPushed:
      return "pushed";
    case Delivery::kAbandoned:
      break;
  }
  return "abandoned";
}

std::string_view name_of(Event event) {
  const auto* const found = std::find_if(kEvents.begin(), kEvents.end(),
                                         [event](const auto& each) { return each.event == event; });
  return found->name;
}

std::optional<Event> event_from_name(std::string_view name) {
  for (const NamedEvent& each : kEvents) {
    if (each.name == name) return each.event;
  }
  return std::nullopt;
}

bool LedgerEntry::may_be_in_use(base::Instant at) const {
  return kind == AuthorityKind::kIntermediate && state != Delivery::kAbandoned &&
         at <= certificate.facts().not_after;
}

bool is_minting(Event event) {
  return event == Event::kRootMinted || event == Event::kIntermediateMinted;
}

bool needs_root_key(Event event) {
  return is_minting(event) || event == Event::kSubordinated || event == Event::kListMade ||
         event == Event::kListGiven;
}

std::string chain_digest(std::string_view previous, const Action& action) {
  const std::array fields{std::string(previous),
                          std::to_string(action.sequence),
                          std::to_string(action.at.time_since_epoch().count()),
                          action.who.user,
                          action.who.host,
                          action.who.command,
                          action.who.reason,
                          std::string(name_of(action.event)),
                          action.fingerprint,
                          action.cluster,
                          action.detail};
  std::string covered;
  for (const std::string& field : fields) {
    covered += fmt::format("{}:{},", field.size(), field);
  }
  return base::to_hex(base::sha256(base::as_bytes(covered)));
}

const LedgerEntry* Ledger::find(std::string_view fingerprint) const {
  const auto found = position_.find(fingerprint);
  return found == position_.end() ? nullptr : &entries_[found->second];
}

const LedgerEntry* Ledger::issuer_of(const pki::Certificate& certificate) const {
  const auto& facts = certificate.facts();
  const auto named = of_subject_.find(facts.issuer_der);
  if (named == of_subject_.end()) return nullptr;
  const auto& places = named->second;
  const auto found = std::find_if(places.rbegin(), places.rend(), [&](const std::size_t place) {
    const LedgerEntry& entry = entries_[place];
    // A CA above the root may have given the root's key another identifier.
    return entry.certificate.facts().subject_key_id == facts.authority_key_id ||
           (!entry.above.empty() &&
            entry.above.front().facts().subject_key_id == facts.authority_key_id);
  });
  return found == places.rend() ? nullptr : &entries_[*found];
}

Status Ledger::may_append(const Action& action, const pki::Certificate* certificate) const {
  if ((action.event == Event::kStoreCreated) != actions_.empty()) {
    return fail(Code::kConflict,
                "a ledger begins with the creation of its store, and only begins so");
  }
  if (is_minting(action.event)) return may_mint(action, certificate);
  if (is_delivery(action.event)) return may_deliver(action);
  if (is_about_lists(action.event)) return may_revoke(action);
  if (action.event == Event::kListGiven) return may_be_given(action);
  if (is_about_requests(action.event)) return may_request(action);
  if (action.event == Event::kSubordinated) return may_subordinate(action);
  if (action.event == Event::kLockBroken) return {};
  const bool planned = std::count(planned_keys_.begin(), planned_keys_.end(), action.detail) != 0;
  if (action.event == Event::kKeyPlanned && planned) {
    return fail(Code::kConflict, fmt::format("key '{}' is planned already", action.detail));
  }
  if (action.event == Event::kKeyDiscarded && !planned) {
    return fail(Code::kConflict, fmt::format("key '{}' was never planned", action.detail));
  }
  return {};
}

Status Ledger::may_mint(const Action& action, const pki::Certificate* certificate) const {
  if (certificate == nullptr || certificate->fingerprint() != action.fingerprint) {
    return fail(Code::kConflict,
                fmt::format("the certificate '{}' that it mints is missing", action.fingerprint));
  }
  if (find(action.fingerprint) != nullptr) {
    return fail(Code::kConflict, fmt::format("'{}' was minted already", action.fingerprint));
  }
  const bool is_root = action.event == Event::kRootMinted;
  if (is_root && has_root()) {
    return fail(Code::kConflict,
                fmt::format("'{}' is a second root, and a ledger has one", action.fingerprint));
  }
  if (is_root != certificate->is_self_signed()) {
    return fail(Code::kConflict, fmt::format("'{}' is not of the kind recorded, {}",
                                             action.fingerprint, name_of(action.event)));
  }
  if (!is_root && issuer_of(*certificate) == nullptr) {
    return fail(Code::kConflict,
                fmt::format("the issuer of '{}' is not in the ledger", action.fingerprint));
  }
  return {};
}

bool Ledger::has_root() const {
  return std::ranges::find(entries_, AuthorityKind::kRoot, &LedgerEntry::kind) != entries_.end();
}

Status Ledger::may_deliver(const Action& action) const {
  const LedgerEntry* entry = find(action.fingerprint);
  if (entry == nullptr) {
    return fail(Code::kNotFound,
                fmt::format("certificate '{}' was not issued by this ledger", action.fingerprint));
  }
  if (entry->kind == AuthorityKind::kRoot) {
    return fail(Code::kConflict,
                fmt::format("'{}' is a root, which is pushed to no cluster", action.fingerprint));
  }
  const bool key_is_gone =
      entry->state == Delivery::kPushed || entry->state == Delivery::kAbandoned;
  if (action.event == Event::kPushing && key_is_gone) {
    return fail(Code::kConflict,
                fmt::format("'{}' cannot be pushed again: it is {} and its key gone",
                            action.fingerprint, name_of(entry->state)));
  }
  return {};
}

Status Ledger::may_be_given(const Action& action) const {
  const LedgerEntry* root = find(action.fingerprint);
  const std::string authority = given_list(action).first;
  if (root != nullptr && root->kind == AuthorityKind::kRoot && find_above(authority) != nullptr) {
    return {};
  }
  return fail(Code::kNotFound, fmt::format("'{}' stands above no root of this ledger", authority));
}

const pki::Certificate* Ledger::find_above(std::string_view fingerprint) const {
  for (const LedgerEntry& entry : entries_) {
    const auto found = std::ranges::find(entry.above, fingerprint, &pki::Certificate::fingerprint);
    if (found != entry.above.end()) return &*found;
  }
  return nullptr;
}

Status Ledger::may_revoke(const Action& action) const {
  const LedgerEntry* entry = find(action.fingerprint);
  if (entry == nullptr) {
    return fail(Code::kNotFound,
                fmt::format("certificate '{}' was not issued by this ledger", action.fingerprint));
  }
  if (action.event == Event::kListMade) return {};
  if (entry->kind == AuthorityKind::kRoot) {
    return fail(Code::kConflict,
                fmt::format("'{}' is a root: nobody looks it up on a list", action.fingerprint));
  }
  const bool is_revoked = entry->revoked.has_value();
  if (is_revoked == (action.event == Event::kRevoked)) {
    return fail(Code::kConflict, fmt::format("'{}' is {}revoked", action.fingerprint,
                                             is_revoked ? "already " : "not "));
  }
  return {};
}

Status Ledger::may_request(const Action& action) const {
  const std::string name = requested_key(action).key_name;
  const bool waits = std::any_of(requests_.begin(), requests_.end(),
                                 [&name](const auto& each) { return each.key_name == name; });
  if (waits != (action.event == Event::kRequested)) return {};
  return fail(Code::kConflict, fmt::format("the request of key '{}' is {}", name,
                                           waits ? "recorded already" : "not open"));
}

Status Ledger::may_subordinate(const Action& action) const {
  const LedgerEntry* entry = find(action.fingerprint);
  if (entry == nullptr || entry->kind != AuthorityKind::kRoot) {
    return fail(Code::kNotFound, fmt::format("'{}' is no root of this ledger", action.fingerprint));
  }
  MESHTRUST_TRY(const auto above, above_from(action.detail));
  const auto& wanted = entry->certificate.facts();
  const auto& found = above.front().facts();
  if (above.size() > 1 && found.key_id == wanted.key_id &&
      found.subject_der == wanted.subject_der) {
    return {};
  }
  return fail(Code::kConflict, fmt::format("'{}' is no certificate of the root '{}'", found.subject,
                                           wanted.subject));
}

void Ledger::append(Action action, const pki::Certificate* certificate) {
  MESHTRUST_CHECK(action.sequence == static_cast<std::int64_t>(actions_.size()) + 1);
  if (is_minting(action.event)) {
    mint(action, *certificate);
  } else if (is_delivery(action.event)) {
    LedgerEntry& entry = entries_[position_.find(action.fingerprint)->second];
    entry.state = delivery_after(action.event);
    entry.state_since = action.at;
    entry.was_written = entry.state == Delivery::kPushed && action.detail.starts_with(kWrittenTo);
  } else if (is_about_lists(action.event)) {
    LedgerEntry& entry = entries_[position_.find(action.fingerprint)->second];
    if (action.event == Event::kRevoked) {
      entry.revoked = Revocation{.at = action.at, .reason = action.detail};
    } else if (action.event == Event::kUnrevoked) {
      entry.revoked.reset();
    } else {
      entry.newest_list = action.detail;
    }
  } else if (action.event == Event::kListGiven) {
    auto [authority, list] = given_list(action);
    auto& kept = entries_[position_.find(action.fingerprint)->second].lists_above;
    kept.insert_or_assign(std::move(authority), std::move(list));
  } else if (action.event == Event::kSubordinated) {
    entries_[position_.find(action.fingerprint)->second].above = *above_from(action.detail);
  } else if (action.event == Event::kRequested) {
    requests_.push_back(requested_key(action));
  } else if (action.event == Event::kRequestClosed) {
    std::erase_if(requests_, [&](const auto& each) { return each.key_name == action.detail; });
  } else if (action.event == Event::kKeyPlanned) {
    planned_keys_.push_back(action.detail);
  } else if (action.event == Event::kKeyDiscarded) {
    std::erase(planned_keys_, action.detail);
  }
  head_ = chain_digest(head_, action);
  actions_.push_back(std::move(action));
}

void Ledger::mint(const Action& action, const pki::Certificate& certificate) {
  const bool is_root = action.event == Event::kRootMinted;
  position_.emplace(action.fingerprint, entries_.size());
  of_subject_[certificate.facts().subject_der].push_back(entries_.size());
  entries_.push_back(LedgerEntry{
      .certificate = certificate,
      .kind = is_root ? AuthorityKind::kRoot : AuthorityKind::kIntermediate,
      .cluster = action.cluster,
      .issuer = is_root ? action.fingerprint : issuer_of(certificate)->fingerprint(),
      .minted_at = action.at,
      .state = Delivery::kMinted,
      .state_since = action.at,
      .revoked = {},
      .newest_list = is_root ? std::string() : action.detail,
      .above = is_root ? std::vector<pki::Certificate>() : issuer_of(certificate)->above});
  if (is_root) std::erase(planned_keys_, key_name(certificate));
}

std::string above_text(const std::vector<pki::Certificate>& above) {
  return base::to_base64(base::as_bytes(pki::to_pem(above)));
}

Result<std::vector<pki::Certificate>> above_from(std::string_view text) {
  MESHTRUST_TRY(const base::Bytes pem, base::from_base64(text));
  return pki::certificates_from_pem(base::as_text(pem));
}

std::string given_text(const pki::Certificate& authority, const base::Bytes& list) {
  return authority.fingerprint() + " " + base::to_base64(list);
}

std::pair<std::string, std::string> given_list(const Action& action) {
  return two_words(action.detail);
}

std::string key_name(std::string_view key_id) {
  return std::string(key_id.substr(0, 16));
}

std::string key_name(const pki::Certificate& root) {
  return key_name(root.facts().key_id);
}

}  // namespace meshtrust::ca
