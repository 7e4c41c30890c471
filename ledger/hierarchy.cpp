#include "ledger/hierarchy.h"

#include <algorithm>
#include <utility>

// What is true, and what events make of it. What may follow stands in hierarchy_rules.cpp.

namespace meshtrust::ledger {

const Authority* Hierarchy::find(std::string_view fingerprint) const {
  const auto found = position_.find(fingerprint);
  return found == position_.end() ? nullptr : &authorities_[found->second];
}

Authority& Hierarchy::entry(std::string_view fingerprint) {
  return authorities_[position_.find(fingerprint)->second];
}

const Hierarchy::Generation* Hierarchy::find_generation(std::string_view fingerprint) const {
  const auto found = std::ranges::find_if(generations_, [&](const Generation& one) {
    return authorities_[one.place].fingerprint() == fingerprint;
  });
  return found == generations_.end() ? nullptr : &*found;
}

Hierarchy::Generation& Hierarchy::generation(std::string_view fingerprint) {
  return generations_[static_cast<std::size_t>(find_generation(fingerprint) - generations_.data())];
}

Root Hierarchy::describe(const Generation& generation) const {
  const Authority& authority = authorities_[generation.place];
  RootState state = generation.was_activated ? RootState::kFormer : RootState::kNext;
  if (generation.is_retired) {
    state = RootState::kRetired;
  } else if (&generation == &generations_[current_]) {
    state = RootState::kCurrent;
  }
  return {.certificate = authority.certificate,
          .minted_at = authority.minted_at,
          .above = authority.above,
          .state = state,
          .after = generation.after,
          .voucher = generation.voucher,
          .key_digest = generation.key_digest,
          .key_is_destroyed = generation.key_is_destroyed};
}

std::vector<Root> Hierarchy::roots() const {
  std::vector<Root> roots;
  roots.reserve(generations_.size());
  for (const Generation& one : generations_) {
    roots.push_back(describe(one));
  }
  return roots;
}

std::optional<Root> Hierarchy::root(std::string_view fingerprint) const {
  const Generation* found = find_generation(fingerprint);
  if (found == nullptr) return std::nullopt;
  return describe(*found);
}

std::optional<Root> Hierarchy::current() const {
  if (generations_.empty()) return std::nullopt;
  return describe(generations_[current_]);
}

std::optional<Root> Hierarchy::next() const {
  const auto found = std::ranges::find_if(
      generations_, [](const Generation& one) { return !one.was_activated && !one.is_retired; });
  if (found == generations_.end()) return std::nullopt;
  return describe(*found);
}

const Hierarchy::Generation* Hierarchy::generation_of(const Authority& authority) const {
  const Authority* at = &authority;
  while (at->kind != AuthorityKind::kRoot) {
    at = find(at->issuer);  // in front of it in the ledger, so this ends
  }
  return find_generation(at->fingerprint());
}

bool Hierarchy::is_retired(const Authority& authority) const {
  return generation_of(authority)->is_retired;
}

const Authority* Hierarchy::issuer_of(const pki::Certificate& certificate) const {
  const auto& facts = certificate.facts();
  const auto named = of_subject_.find(facts.issuer_der);
  if (named == of_subject_.end()) return nullptr;
  const auto& places = named->second;
  const auto found = std::find_if(places.rbegin(), places.rend(), [&](const std::size_t place) {
    const Authority& one = authorities_[place];
    if (one.kind != AuthorityKind::kRoot && one.kind != AuthorityKind::kIssuing) return false;
    // A CA above the root may have given the root's key another identifier.
    return one.certificate.facts().subject_key_id == facts.authority_key_id ||
           (one.kind == AuthorityKind::kRoot && !one.above.empty() &&
            one.above.front().facts().subject_key_id == facts.authority_key_id);
  });
  return found == places.rend() ? nullptr : &authorities_[*found];
}

const pki::Certificate* Hierarchy::find_above(std::string_view fingerprint) const {
  for (const Authority& one : authorities_) {
    const auto found = std::ranges::find(one.above, fingerprint, &pki::Certificate::fingerprint);
    if (found != one.above.end()) return &*found;
  }
  return nullptr;
}

void Hierarchy::take(const Event& event, base::Instant at) {
  const auto mint_below = [&](const pki::Certificate& certificate, AuthorityKind kind,
                              std::string cluster, base::Bytes crl) {
    const Authority& issuer = *issuer_of(certificate);
    mint({.certificate = certificate,
          .kind = kind,
          .cluster = std::move(cluster),
          .issuer = issuer.fingerprint(),
          .minted_at = at,
          .state_since = at,
          .newest_crl = std::move(crl),
          .above = issuer.above});
  };
  std::visit(
      Overloaded{
          [&](const RootMinted& one) {
            mint_root(one.certificate, at, {.key_digest = one.key_digest, .was_activated = true});
          },
          [&](const NextRootMinted& one) {
            mint_root(one.certificate, at,
                      {.after = one.after, .voucher = one.voucher, .key_digest = one.key_digest});
          },
          [&](const BridgeMinted& one) {
            mint_below(one.certificate, AuthorityKind::kBridge, {}, {});
          },
          [&](const IssuingMinted& one) {
            mint_below(one.certificate, AuthorityKind::kIssuing, {}, {});
          },
          [&](const IntermediateMinted& one) {
            mint_below(one.certificate, AuthorityKind::kIntermediate, one.cluster, one.crl);
          },
          [&](const RootActivated& one) {
            Generation& found = generation(one.root);
            found.was_activated = true;
            current_ = static_cast<std::size_t>(&found - generations_.data());
          },
          [&](const RootRetired& one) { generation(one.root).is_retired = true; },
          [&](const KeyDestroyed& one) { generation(one.root).key_is_destroyed = true; },
          [&](const Subordinated& one) { entry(one.root).above = one.above; },
          [&](const Pushing& one) { deliver(one.fingerprint, Delivery::kPushing, at, false); },
          [&](const Pushed& one) {
            deliver(one.fingerprint, Delivery::kPushed, at, one.written_to.has_value());
          },
          [&](const Abandoned& one) { deliver(one.fingerprint, Delivery::kAbandoned, at, false); },
          [&](const Revoked& one) {
            entry(one.fingerprint).revoked = Revocation{.at = at, .reason = one.reason};
          },
          [&](const Unrevoked& one) { entry(one.fingerprint).revoked.reset(); },
          [&](const CrlMade& one) { entry(one.fingerprint).newest_crl = one.crl; },
          [&](const CrlGiven& one) {
            entry(one.root).crls_above.insert_or_assign(one.authority, one.crl);
          },
          [](const auto& /*not about CAs*/) {}},
      event);
}

void Hierarchy::mint(Authority authority) {
  position_.emplace(authority.fingerprint(), authorities_.size());
  of_subject_[authority.certificate.facts().subject_der].push_back(authorities_.size());
  authorities_.push_back(std::move(authority));
}

void Hierarchy::mint_root(const pki::Certificate& certificate,
                          base::Instant at,
                          Generation generation) {
  generation.place = authorities_.size();
  generations_.push_back(std::move(generation));
  mint({.certificate = certificate,
        .kind = AuthorityKind::kRoot,
        .cluster = {},
        .issuer = certificate.fingerprint(),
        .minted_at = at,
        .state_since = at});
}

void Hierarchy::deliver(const std::string& fingerprint,
                        Delivery state,
                        base::Instant at,
                        bool was_written) {
  Authority& one = entry(fingerprint);
  one.state = state;
  one.state_since = at;
  one.was_written = was_written;
}

}  // namespace meshtrust::ledger
