#include "pki/path/revocation.h"

#include "base/text.h"

#include <algorithm>
#include <set>

namespace meshtrust::pki {
namespace {

/// All of RFC 5280's reasons but the first, which is unused.
constexpr unsigned kAllReasons = 0x1fe;

/// How far a list came before it could not be used; the furthest is told.
struct Problem {
  Check check = Check::kCrlMissing;
  std::string found = "no list of the issuer";
  std::string wanted = "a current one";
};

bool share_a_name(const std::vector<PathGeneralName>& a, const std::vector<PathGeneralName>& b) {
  return std::ranges::any_of(a, [&b](const PathGeneralName& name) {
    return std::ranges::any_of(b, [&name](const PathGeneralName& other) {
      if (name.form != other.form) return false;
      return name.form == NameForm::kDirectory ? name.rdns == other.rdns
                                               : name.value == other.value;
    });
  });
}

/// Names by which a list can be fetched. Others say nothing about which list is meant.
bool is_location(const PathGeneralName& name) {
  return name.form == NameForm::kUri || name.form == NameForm::kDirectory;
}

bool has_directory(const std::vector<PathGeneralName>& names, const PathName& wanted) {
  return std::ranges::any_of(names, [&wanted](const PathGeneralName& name) {
    return name.form == NameForm::kDirectory && name.rdns == wanted.rdns;
  });
}

/// The status of one certificate, asked of all lists.
class StatusQuestion {
 public:
  StatusQuestion(const Path& path,
                 std::size_t depth,
                 const ChainQuestion& question,
                 ListIssuers& issuers)
      : path_(path), depth_(depth), question_(question), issuers_(issuers) {}

  std::optional<PathFailure> answer() {
    std::vector<const PathCrl*> usable;
    for (const PathCrl& crl : question_.crls) {
      if (!crl.facts().is_delta() && is_usable(crl)) usable.push_back(&crl);
    }
    std::ranges::stable_sort(usable, [](const PathCrl* a, const PathCrl* b) {
      return a->facts().this_update > b->facts().this_update;
    });
    unsigned covered = 0;
    std::set<std::string> scopes;  // the newest of a scope replaces the others
    for (const PathCrl* crl : usable) {
      const CrlFacts& facts = crl->facts();
      if (!scopes.insert(facts.scope ? facts.scope->raw : std::string()).second) continue;
      if (is_revoked_by(*crl)) {
        return failure(Check::kRevoked, "serial " + subject().serial + " on the list of " +
                                            base::format_rfc3339(facts.this_update));
      }
      covered |= reasons_of(facts);
    }
    if (covered == kAllReasons) return std::nullopt;
    if (covered != 0) problem_ = {Check::kCrlScope, "lists for some reasons", "for all"};
    return failure(problem_.check, problem_.found, problem_.wanted);
  }

 private:
  const PathFacts& subject() const { return path_[depth_]->facts(); }

  PathFailure failure(Check check, std::string found, std::string wanted = {}) const {
    return failure_of(check, *path_[depth_], role_at(depth_, path_.size(), true), depth_,
                      std::move(found), std::move(wanted));
  }

  /// Notes why a list is of no use; later steps of `is_usable` say more than earlier ones.
  bool refuse(Check check, std::string found, std::string wanted) {
    if (check >= problem_.check || problem_.check == Check::kCrlMissing) {
      problem_ = {check, std::move(found), std::move(wanted)};
    }
    return false;
  }

  /// The certificate's points that may belong to a list of `issuer`. One without any has a point
  /// named like its issuer, for all reasons (RFC 5280 6.3.3, last paragraph).
  std::vector<PathDistributionPoint> points_for(const PathName& issuer) const {
    const bool own = issuer.rdns == subject().issuer.rdns;
    std::vector<PathDistributionPoint> points;
    for (const PathDistributionPoint& point : subject().distribution_points) {
      const bool fits = point.crl_issuer.empty() ? own : has_directory(point.crl_issuer, issuer);
      if (fits && std::ranges::all_of(point.full_name, is_location)) points.push_back(point);
    }
    if (own && points.empty()) {
      PathDistributionPoint implied;
      implied.has_name = true;
      implied.full_name.push_back(
          {.form = NameForm::kDirectory, .value = {}, .rdns = issuer.rdns, .text = issuer.text});
      points.push_back(std::move(implied));
    }
    return points;
  }

  static bool covers_point(const CrlScope& scope, const PathDistributionPoint& point) {
    if (!scope.point.has_name) return true;
    const auto& names = point.has_name ? point.full_name : point.crl_issuer;
    return share_a_name(scope.point.full_name, names);
  }

  /// RFC 5280 6.3.3 (b).
  bool is_in_scope(const CrlFacts& crl, const std::vector<PathDistributionPoint>& points) {
    const bool own = crl.issuer.rdns == subject().issuer.rdns;
    if (!own && (!crl.scope || !crl.scope->indirect)) {
      return refuse(Check::kCrlScope, "a direct list of another issuer", "an indirect one");
    }
    if (!crl.scope) return true;
    const CrlScope& scope = *crl.scope;
    if (!std::ranges::all_of(scope.point.full_name, is_location)) {
      return refuse(Check::kCrlScope, "a distribution point with a name that is no location",
                    "URIs or directory names");
    }
    if (scope.only_attribute || (scope.only_user && subject().is_ca) ||
        (scope.only_ca && !subject().is_ca)) {
      return refuse(Check::kCrlScope, "a list for certificates of another kind",
                    subject().is_ca ? "for CAs" : "for leaves");
    }
    // A certificate that names no other issuer of lists expects them to be its own issuer's alone.
    const bool expects_indirect = std::ranges::any_of(
        points, [](const PathDistributionPoint& point) { return !point.crl_issuer.empty(); });
    if (own && scope.indirect && scope.point.has_name && !expects_indirect) {
      return refuse(Check::kCrlScope, "an indirect list", "a direct one");
    }
    const bool covered = std::ranges::any_of(points, [&scope](const PathDistributionPoint& point) {
      return covers_point(scope, point);
    });
    if (!covered) {
      return refuse(Check::kCrlScope, "a list of another distribution point",
                    "of one in the certificate");
    }
    return true;
  }

  bool verifies(const PathCrl& crl, const PathCertificate& issuer) {
    const auto key = std::make_pair(crl.facts().fingerprint, issuer.facts().key.info);
    const auto known = issuers_.verified.find(key);
    if (known != issuers_.verified.end()) return known->second;
    return issuers_.verified[key] = crl.is_signed_by(issuer);
  }

  bool is_signed_by(const PathCrl& crl, const PathCertificate& issuer) {
    const PathFacts& facts = issuer.facts();
    if (facts.subject.rdns != crl.facts().issuer.rdns || !verifies(crl, issuer)) return false;
    if (facts.key_usage && (*facts.key_usage & kCrlSign) == 0) {
      return refuse(Check::kCrlIssuerMaySign, "keyUsage without cRLSign", "cRLSign");
    }
    return true;
  }

  /// The issuer is on the path, or elsewhere and trusted from the same anchors.
  bool has_issuer(const PathCrl& crl) {
    for (std::size_t i = depth_ + 1; i < path_.size(); ++i) {
      if (is_signed_by(crl, *path_[i])) return true;
    }
    const auto elsewhere = [this, &crl](const PathCertificate& other) {
      return !(other == *path_[depth_]) && is_signed_by(crl, other) && issuers_.is_trusted(other);
    };
    return std::ranges::any_of(question_.anchors, elsewhere) ||
           std::ranges::any_of(question_.chain, elsewhere);
  }

  bool is_usable(const PathCrl& crl) {
    const CrlFacts& facts = crl.facts();
    const auto points = points_for(facts.issuer);
    if (points.empty()) return false;
    if (!is_in_scope(facts, points)) return false;
    if (!facts.defects.empty()) {
      return refuse(Check::kCrlUnusable, facts.defects.front().found, facts.defects.front().wanted);
    }
    if (question_.at < facts.this_update) {
      return refuse(Check::kCrlFresh, "thisUpdate " + base::format_rfc3339(facts.this_update),
                    "at or before " + base::format_rfc3339(question_.at));
    }
    if (!facts.next_update || question_.at > *facts.next_update) {
      return refuse(Check::kCrlFresh,
                    facts.next_update ? "nextUpdate " + base::format_rfc3339(*facts.next_update)
                                      : "no nextUpdate",
                    "at or after " + base::format_rfc3339(question_.at));
    }
    if (!own_rules().signature_allowed(facts.signature, {})) {
      return refuse(Check::kCrlSignature, facts.signature.text, "SHA-256 or better");
    }
    if (has_issuer(crl)) return true;
    return refuse(Check::kCrlSignature, "a signature by nobody on the path", "the issuer's");
  }

  /// What the certificate's points and the list's own limits leave (RFC 5280 6.3.3 (d)).
  unsigned reasons_of(const CrlFacts& crl) const {
    unsigned reasons = 0;
    for (const PathDistributionPoint& point : points_for(crl.issuer)) {
      if (crl.scope && !covers_point(*crl.scope, point)) continue;
      reasons |= point.has_reasons ? point.reasons : kAllReasons;
    }
    const bool some = crl.scope && crl.scope->point.has_reasons;
    return reasons & (some ? crl.scope->point.reasons : kAllReasons) & kAllReasons;
  }

  const CrlEntry* entry_in(const CrlFacts& crl) const {
    const auto [first, last] = crl.entries.equal_range(subject().serial);
    for (auto it = first; it != last; ++it) {
      const std::string& issuer = it->second.issuer;
      const bool mine = issuer.empty() ? crl.issuer.rdns == subject().issuer.rdns
                                       : issuer == subject().issuer.key();
      if (mine) return &it->second;
    }
    return nullptr;
  }

  /// What the newest delta that fits says instead, where it says something (RFC 5280 5.2.4).
  const CrlEntry* entry_in_delta(const CrlFacts& base) {
    const CrlFacts* newest = nullptr;
    for (const PathCrl& crl : question_.crls) {
      const CrlFacts& delta = crl.facts();
      const auto longer = [](const std::string& a, const std::string& b) {
        return a.size() != b.size() ? a.size() > b.size() : a > b;
      };
      if (!delta.is_delta() || delta.issuer.rdns != base.issuer.rdns || !base.number) continue;
      if ((delta.scope ? delta.scope->raw : "") != (base.scope ? base.scope->raw : "")) continue;
      if (longer(*delta.base_number, *base.number) || !is_usable(crl)) continue;
      if (delta.number && longer(*base.number, *delta.number)) continue;
      if (newest == nullptr || delta.this_update > newest->this_update) newest = &delta;
    }
    return newest == nullptr ? nullptr : entry_in(*newest);
  }

  bool is_revoked_by(const PathCrl& crl) {
    if (const CrlEntry* entry = entry_in_delta(crl.facts())) return !entry->removed;
    return entry_in(crl.facts()) != nullptr;
  }

  const Path& path_;
  std::size_t depth_;
  const ChainQuestion& question_;
  ListIssuers& issuers_;
  Problem problem_;
};

}  // namespace

std::optional<PathFailure> check_revocation(const Path& path,
                                            const ChainQuestion& question,
                                            ListIssuers& issuers) {
  for (std::size_t i = 0; i + 1 < path.size(); ++i) {
    if (auto failure = StatusQuestion(path, i, question, issuers).answer()) return failure;
  }
  return std::nullopt;
}

}  // namespace meshtrust::pki
