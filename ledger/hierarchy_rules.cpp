#include "ledger/hierarchy.h"

#include <fmt/format.h>

#include <algorithm>

// What may follow on what was before, and whose word it takes.

namespace meshtrust::ledger {
namespace {

using base::Code;
using base::fail;
using base::Result;
using base::Status;

Status conflict(std::string message) {
  return fail(Code::kConflict, std::move(message));
}

}  // namespace

Status Hierarchy::may_follow(const Event& event) const {
  return std::visit(
      Overloaded{[this](const RootActivated& one) { return may_activate(one); },
                 [this](const RootRetired& one) { return may_retire(one); },
                 [this](const KeyDestroyed& one) { return may_destroy(one); },
                 [this](const Subordinated& one) { return may_subordinate(one); },
                 [this](const Pushing& one) { return may_deliver(one.fingerprint, true); },
                 [this](const Pushed& one) { return may_deliver(one.fingerprint, false); },
                 [this](const Abandoned& one) { return may_deliver(one.fingerprint, false); },
                 [this](const Revoked& one) { return may_revoke(one.fingerprint, true); },
                 [this](const Unrevoked& one) { return may_revoke(one.fingerprint, false); },
                 [this](const CrlMade& one) -> Status {
                   MESHTRUST_TRY(const Authority* authority, issued_here(one.fingerprint));
                   if (authority->kind != AuthorityKind::kBridge) return {};
                   return conflict(fmt::format("'{}' is a bridge: the CRLs of its root are its own",
                                               one.fingerprint));
                 },
                 [this](const CrlGiven& one) -> Status {
                   const bool is_root = find_generation(one.root) != nullptr;
                   if (is_root && find_above(one.authority) != nullptr) return {};
                   return fail(Code::kNotFound, fmt::format("'{}' stands above no root of this "
                                                            "ledger",
                                                            one.authority));
                 },
                 [&](const auto& one) -> Status {
                   if constexpr (requires { one.certificate; }) {
                     return may_mint(event, one.certificate);
                   } else {
                     return {};
                   }
                 }},
      event);
}

Status Hierarchy::may_mint(const Event& event, const pki::Certificate& certificate) const {
  if (find(certificate.fingerprint()) != nullptr) {
    return conflict(fmt::format("'{}' was minted already", certificate.fingerprint()));
  }
  const bool is_root =
      std::holds_alternative<RootMinted>(event) || std::holds_alternative<NextRootMinted>(event);
  if (std::holds_alternative<RootMinted>(event)) {
    MESHTRUST_TRY_DO(may_mint_root(certificate));
  }
  if (is_root != certificate.is_self_signed()) {
    return conflict(fmt::format("'{}' is not of the kind recorded, {}", certificate.fingerprint(),
                                ledger::name_of(event)));
  }
  return std::visit(Overloaded{[this](const NextRootMinted& one) { return may_mint_next(one); },
                               [this](const BridgeMinted& one) {
                                 return may_mint_below(AuthorityKind::kBridge, one.certificate);
                               },
                               [this](const IssuingMinted& one) {
                                 return may_mint_below(AuthorityKind::kIssuing, one.certificate);
                               },
                               [this](const IntermediateMinted& one) {
                                 return may_mint_below(AuthorityKind::kIntermediate,
                                                       one.certificate);
                               },
                               [](const auto& /*the first root*/) { return Status(); }},
                    event);
}

Status Hierarchy::may_mint_root(const pki::Certificate& certificate) const {
  if (generations_.empty()) return {};
  return conflict(
      fmt::format("'{}' is a second root that follows none before it", certificate.fingerprint()));
}

Status Hierarchy::may_mint_next(const NextRootMinted& event) const {
  const auto& facts = event.certificate.facts();
  const auto before = current();
  if (!before || before->fingerprint() != event.after) {
    return conflict(fmt::format("'{}' is to follow '{}', which is not the current root",
                                facts.fingerprint, event.after));
  }
  if (const auto waiting = next()) {
    return conflict(
        fmt::format("a next root is there already: '{}'", waiting->certificate.facts().subject));
  }
  for (const Authority& one : authorities_) {
    const auto& other = one.certificate.facts();
    const bool has_same_name = other.subject_der == facts.subject_der;
    if (!has_same_name && other.key_id != facts.key_id) continue;
    return conflict(fmt::format("the new root '{}' has the {} of '{}'", facts.subject,
                                has_same_name ? "name" : "key", other.subject));
  }
  return {};
}

Status Hierarchy::may_mint_below(AuthorityKind kind, const pki::Certificate& certificate) const {
  const auto& facts = certificate.facts();
  const Authority* issuer = issuer_of(certificate);
  const bool needs_root = kind != AuthorityKind::kIntermediate;
  if (issuer == nullptr || (needs_root && issuer->kind != AuthorityKind::kRoot)) {
    return conflict(fmt::format("the issuer of '{}' is not in the ledger", facts.fingerprint));
  }
  if (is_retired(*issuer)) {
    return conflict(fmt::format("the root above '{}', '{}', is retired", facts.fingerprint,
                                issuer->certificate.facts().subject));
  }
  if (kind != AuthorityKind::kBridge) return {};
  const bool is_of_a_root = std::ranges::any_of(generations_, [&](const Generation& one) {
    const auto& root = authorities_[one.place].certificate.facts();
    return !one.is_retired && root.subject_der == facts.subject_der && root.key_id == facts.key_id;
  });
  if (is_of_a_root) return {};
  return conflict(fmt::format("the bridge '{}' has not name and key of a root that is in use",
                              facts.fingerprint));
}

Result<const Authority*> Hierarchy::issued_here(const std::string& fingerprint) const {
  if (const Authority* found = find(fingerprint)) return found;
  return fail(Code::kNotFound,
              fmt::format("certificate '{}' was not issued by this ledger", fingerprint));
}

Result<const Hierarchy::Generation*> Hierarchy::root_here(const std::string& fingerprint) const {
  if (const Generation* found = find_generation(fingerprint)) return found;
  return fail(Code::kNotFound, fmt::format("'{}' is no root of this ledger", fingerprint));
}

Status Hierarchy::may_activate(const RootActivated& event) const {
  MESHTRUST_TRY(const Generation* found, root_here(event.root));
  if (found->is_retired) return conflict(fmt::format("root '{}' is retired", event.root));
  if (found != &generations_[current_]) return {};
  return conflict(fmt::format("'{}' is the current root already", event.root));
}

Status Hierarchy::may_retire(const RootRetired& event) const {
  MESHTRUST_TRY(const Generation* found, root_here(event.root));
  if (found->is_retired) return conflict(fmt::format("root '{}' is retired already", event.root));
  if (found != &generations_[current_]) return {};
  return conflict(
      fmt::format("'{}' is the current root: another has to be that first", event.root));
}

Status Hierarchy::may_destroy(const KeyDestroyed& event) const {
  MESHTRUST_TRY(const Generation* found, root_here(event.root));
  if (!found->is_retired) {
    return conflict(fmt::format("root '{}' is not retired: its key may be needed", event.root));
  }
  if (!found->key_is_destroyed) return {};
  return conflict(fmt::format("the key of '{}' is destroyed already", event.root));
}

Status Hierarchy::may_subordinate(const Subordinated& event) const {
  MESHTRUST_TRY(const Generation* root, root_here(event.root));
  const auto& wanted = authorities_[root->place].certificate.facts();
  const auto& found = event.above.front().facts();
  if (event.above.size() > 1 && found.key_id == wanted.key_id &&
      found.subject_der == wanted.subject_der) {
    return {};
  }
  return conflict(
      fmt::format("'{}' is no certificate of the root '{}'", found.subject, wanted.subject));
}

Status Hierarchy::may_deliver(const std::string& fingerprint, bool is_pushing) const {
  MESHTRUST_TRY(const Authority* authority, issued_here(fingerprint));
  if (authority->kind == AuthorityKind::kRoot) {
    return conflict(fmt::format("'{}' is a root, which is pushed to no cluster", fingerprint));
  }
  if (authority->kind != AuthorityKind::kIntermediate) {
    return conflict(fmt::format("'{}' is no intermediate of a cluster", fingerprint));
  }
  const bool key_is_gone =
      authority->state == Delivery::kPushed || authority->state == Delivery::kAbandoned;
  if (!is_pushing || !key_is_gone) return {};
  return conflict(fmt::format("'{}' cannot be pushed again: it is {} and its key gone", fingerprint,
                              ledger::name_of(authority->state)));
}

Status Hierarchy::may_revoke(const std::string& fingerprint, bool revokes) const {
  MESHTRUST_TRY(const Authority* authority, issued_here(fingerprint));
  if (authority->kind == AuthorityKind::kRoot) {
    return conflict(fmt::format("'{}' is a root: nobody looks it up on a list", fingerprint));
  }
  const bool is_revoked = authority->revoked.has_value();
  if (is_revoked != revokes) return {};
  return conflict(fmt::format("'{}' is {}revoked", fingerprint, is_revoked ? "already " : "not "));
}

KeysNeeded Hierarchy::keys_needed(const Event& event) const {
  const auto key_of_issuer = [this](const pki::Certificate& certificate) {
    return KeysNeeded{.all = {issuer_of(certificate)->fingerprint()}};
  };
  const auto key_of_current = [this] {
    return KeysNeeded{.all = {authorities_[generations_[current_].place].fingerprint()}};
  };
  return std::visit(
      Overloaded{
          [](const RootMinted& one) { return KeysNeeded{.all = {one.certificate.fingerprint()}}; },
          [](const NextRootMinted& one) {
            KeysNeeded needed{.all = {one.certificate.fingerprint()}};
            if (one.voucher == Voucher::kPredecessor) needed.all.push_back(one.after);
            return needed;
          },
          [&](const BridgeMinted& one) { return key_of_issuer(one.certificate); },
          [&](const IssuingMinted& one) { return key_of_issuer(one.certificate); },
          [&](const IntermediateMinted& one) { return key_of_issuer(one.certificate); },
          [](const RootActivated& one) { return KeysNeeded{.all = {one.root}}; },
          [&](const RootRetired& /*one*/) { return key_of_current(); },
          [&](const KeyDestroyed& /*one*/) { return key_of_current(); },
          [](const Subordinated& one) { return KeysNeeded{.all = {one.root}}; },
          [&](const CrlMade& one) {
            const Authority* authority = find(one.fingerprint);
            // The key of an intermediate is in its cluster, or gone.
            if (authority->kind == AuthorityKind::kIntermediate) return KeysNeeded{.any = true};
            return KeysNeeded{.all = {one.fingerprint}};
          },
          [](const CrlGiven& /*one*/) { return KeysNeeded{.any = true}; },
          [](const auto& /*one*/) { return KeysNeeded(); }},
      event);
}

}  // namespace meshtrust::ledger
