#include "run/imagined_rotation.h"

#include "pki/issue.h"
#include "pki/stand_in.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

namespace meshtrust::run {
namespace {

using base::Code;
using base::fail;
using base::Result;
using mesh::rotation::CurrentIssuer;
using mesh::rotation::NextRoot;
using mesh::rotation::Strategy;
using mesh::rotation::TrustBundle;
using pki::Certificate;
using pki::StandIn;
using Chain = std::vector<Certificate>;

/// Stand-ins for the CAs that a mesh has, each made once.
class Cast {
 public:
  /// `known` are certificates among which issuers are looked for.
  Result<const StandIn*> of(const Certificate& original, const Chain& known) {
    const auto made = made_.find(original.fingerprint());
    if (made != made_.end()) return &made->second;
    MESHTRUST_TRY(const StandIn* issuer, issuer_of(original, known));
    MESHTRUST_TRY(StandIn fresh, pki::stand_in_for(original, issuer));
    return &made_.emplace(original.fingerprint(), std::move(fresh)).first->second;
  }

 private:
  Result<const StandIn*> issuer_of(const Certificate& original, const Chain& known) {
    if (original.is_self_signed()) return nullptr;
    const auto issuer = std::ranges::find_if(known, [&original](const Certificate& candidate) {
      return candidate != original && original.is_signed_by(candidate);
    });
    if (issuer == known.end()) {
      return fail(Code::kRefused,
                  fmt::format("nothing in the bundle has issued '{}'", original.facts().subject));
    }
    return of(*issuer, known);
  }

  std::map<std::string, StandIn, std::less<>> made_;
};

class Imagination {
 public:
  Imagination(const ImaginedRoot& wanted, base::Random& random)
      : wanted_(wanted), random_(random) {}

  Result<NextRoot> run(const std::vector<CurrentIssuer>& issuers) {
    MESHTRUST_TRY_DO(refuse_several_roots(issuers));
    MESHTRUST_TRY_DO(mint_root());
    NextRoot next{
        .strategy = wanted_.strategy, .root = root_->certificate, .bridge = {}, .issuers = {}};
    next.issuers.reserve(issuers.size());
    for (const CurrentIssuer& issuer : issuers) {
      MESHTRUST_TRY(TrustBundle now, stand_ins_for(issuer.now));
      if (next.bridge.empty()) {
        MESHTRUST_TRY(next.bridge, mint_bridge(issuer.now));
      }
      MESHTRUST_TRY(Certificate intermediate, mint_intermediate(issuer.cluster));
      next.issuers.push_back({.cluster = issuer.cluster,
                              .now = std::move(now),
                              .circumstances = issuer.circumstances,
                              .chain = {std::move(intermediate)}});
    }
    return next;
  }

 private:
  static base::Status refuse_several_roots(const std::vector<CurrentIssuer>& issuers) {
    const Chain& first = issuers.front().now.parsed.roots;
    if (first.size() != 1) {
      return fail(Code::kRefused,
                  fmt::format("'{}' trusts {} roots, and a rotation begins with one",
                              issuers.front().cluster, first.size()));
    }
    for (const CurrentIssuer& issuer : issuers) {
      if (issuer.now.parsed.roots == first) continue;
      return fail(Code::kRefused, fmt::format("'{}' and '{}' do not trust the same root",
                                              issuers.front().cluster, issuer.cluster));
    }
    return {};
  }

  /// Unlike any that is in use, so that no two generations are taken for each other.
  static pki::DistinguishedName subject(const std::string& common_name) {
    return {.attributes = {{"O", "meshtrust"}, {"OU", "imagined"}, {"CN", common_name}}};
  }

  pki::CaTemplate ca_of(pki::DistinguishedName subject, base::Seconds lifetime) const {
    return {.subject = std::move(subject),
            .not_before = wanted_.at - pki::kBackdate,
            .not_after = wanted_.at + lifetime};
  }

  base::Status mint_root() {
    MESHTRUST_TRY(pki::PrivateKey key, pki::PrivateKey::generate(wanted_.key));
    MESHTRUST_TRY(Certificate root,
                  pki::issue_root(ca_of(subject("Root"), wanted_.lifetime), key, random_));
    root_.emplace(StandIn{.certificate = std::move(root), .key = std::move(key)});
    return {};
  }

  Result<TrustBundle> stand_ins_for(const TrustBundle& bundle) {
    const Chain known = bundle.shown();
    Chain chain;
    Chain roots;
    for (const auto& [from, to] :
         {std::pair(&bundle.parsed.cert_chain, &chain), std::pair(&bundle.parsed.roots, &roots)}) {
      for (const Certificate& one : *from) {
        MESHTRUST_TRY(const StandIn* stand_in, cast_.of(one, known));
        to->push_back(stand_in->certificate);
      }
    }
    MESHTRUST_TRY(const StandIn* signer, cast_.of(bundle.signer(), known));
    return TrustBundle{.files = {.ca_cert = signer->certificate.pem(),
                                 .cert_chain = pki::to_pem(chain),
                                 .root_cert = pki::to_pem(roots)},
                       .parsed = {.ca_cert = signer->certificate,
                                  .cert_chain = std::move(chain),
                                  .roots = std::move(roots),
                                  .foreign_in_chain = bundle.parsed.foreign_in_chain}};
  }

  /// The way from the new root's key to what is trusted today, or from today's key to the new root.
  Result<Chain> mint_bridge(const TrustBundle& now) {
    if (wanted_.strategy == Strategy::kBundle) return Chain();
    const Chain known = now.shown();
    const auto issuer = std::ranges::find_if(known, [&now](const Certificate& candidate) {
      return candidate != now.signer() && now.signer().is_signed_by(candidate);
    });
    if (issuer == known.end()) {
      return fail(Code::kRefused, fmt::format("nothing in the bundle has issued '{}'",
                                              now.signer().facts().subject));
    }
    MESHTRUST_TRY(const StandIn* old_issuer, cast_.of(*issuer, known));
    if (wanted_.strategy == Strategy::kReverse) {
      MESHTRUST_TRY(Certificate bridge,
                    pki::issue_bridge(validity_below(root_->certificate), old_issuer->certificate,
                                      root_->certificate, root_->key, random_));
      return Chain{std::move(bridge)};
    }
    MESHTRUST_TRY(Certificate bridge,
                  pki::issue_bridge(validity_below(old_issuer->certificate), root_->certificate,
                                    old_issuer->certificate, old_issuer->key, random_));
    Chain way{std::move(bridge)};
    MESHTRUST_TRY_DO(add_what_is_above(old_issuer->certificate, *issuer, known, way));
    return way;
  }

  /// Of an issuer that is not itself what is trusted: it, and what leads from it to there.
  base::Status add_what_is_above(const Certificate& issuer,
                                 const Certificate& original,
                                 const Chain& known,
                                 Chain& way) {
    if (original.is_self_signed()) return {};
    way.push_back(issuer);
    const auto above = std::ranges::find_if(known, [&original](const Certificate& candidate) {
      return candidate != original && original.is_signed_by(candidate);
    });
    if (above == known.end()) return {};
    MESHTRUST_TRY(const StandIn* stand_in, cast_.of(*above, known));
    return add_what_is_above(stand_in->certificate, *above, known, way);
  }

  /// As long as wanted, or as the shorter-lived of the two that it leads between.
  pki::Validity validity_below(const Certificate& issuer) const {
    const auto& facts = issuer.facts();
    const base::Instant not_before = std::max(
        {wanted_.at - pki::kBackdate, facts.not_before, root_->certificate.facts().not_before});
    return {.not_before = not_before,
            .not_after = std::min({wanted_.at + wanted_.bridge_lifetime, facts.not_after,
                                   root_->certificate.facts().not_after})};
  }

  Result<Certificate> mint_intermediate(const std::string& cluster) {
    MESHTRUST_TRY(const pki::PrivateKey key, pki::PrivateKey::generate(wanted_.intermediate_key));
    return pki::issue_intermediate(ca_of(subject(cluster), wanted_.intermediate_lifetime),
                                   key.public_key(), root_->certificate, root_->key, random_);
  }

  const ImaginedRoot& wanted_;
  base::Random& random_;
  Cast cast_;
  std::optional<StandIn> root_;
};

}  // namespace

base::Result<NextRoot> imagine_rotation(const std::vector<CurrentIssuer>& issuers,
                                        const ImaginedRoot& wanted,
                                        base::Random& random) {
  MESHTRUST_CHECK(!issuers.empty());
  return Imagination(wanted, random).run(issuers);
}

}  // namespace meshtrust::run
