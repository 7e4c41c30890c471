#include "pki/path/revocation.h"

#include "base/text.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <tuple>

namespace meshtrust::pki {
namespace {

/// All of RFC 5280's reasons but the first, which is unused.
constexpr unsigned kAllReasons = 0x1fe;

/// Whether the magnitude `a` is greater than `b`.
bool is_greater(const std::string& a, const std::string& b) {
  return a.size() != b.size() ? a.size() > b.size() : a > b;
}

/// Numbers count before times, which two lists may share (RFC 5280 5.2.3).
bool is_newer(const CrlFacts& a, const CrlFacts& b) {
  if (a.number != b.number) return is_greater(a.number.value_or(""), b.number.value_or(""));
  return a.this_update > b.this_update;
}

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

bool has_directory(const std::vector<PathGeneralName>& names, const KnownLists::Name& wanted) {
  return std::ranges::any_of(names, [&wanted](const PathGeneralName& name) {
    return name.form == NameForm::kDirectory && name.rdns == wanted;
  });
}

/// A list, and the key that signed it.
struct SignedList {
  const CrlFacts* facts;
  const std::string* key;

  std::string_view scope() const {
    return facts->scope ? std::string_view(facts->scope->raw) : std::string_view();
  }
};

/// Without those that a newer list of the same issuer, key and scope replaces. What another key
/// signed replaces nothing.
std::vector<SignedList> without_replaced(std::vector<SignedList> lists) {
  std::map<std::pair<std::string_view, std::string_view>, const CrlFacts*> newest;
  for (const SignedList& list : lists) {
    const CrlFacts*& known = newest[{*list.key, list.scope()}];
    if (known == nullptr || is_newer(*list.facts, *known)) known = list.facts;
  }
  std::erase_if(lists, [&newest](const SignedList& list) {
    return is_newer(*newest[{*list.key, list.scope()}], *list.facts);
  });
  return lists;
}

/// The status of one certificate, asked of all lists.
class StatusQuestion {
 public:
  StatusQuestion(const Path& path,
                 std::size_t depth,
                 base::Instant at,
                 KnownLists& known,
                 const ListCourt& court)
      : path_(path), depth_(depth), at_(at), known_(known), court_(court) {}

  std::optional<StatusProblem> answer() {
    unsigned covered = 0;
    for (const KnownLists::Name& issuer : issuers_of_lists()) {
      find_points(issuer);
      if (points_.empty()) continue;
      for (const SignedList& list : newest_of(issuer)) {
        if (is_revoked_by(list)) {
          return StatusProblem{Check::kRevoked,
                               "serial " + subject().serial + " on the list of " +
                                   base::format_rfc3339(list.facts->this_update),
                               {}};
        }
        covered |= reasons_of(*list.facts);
      }
    }
    if (covered == kAllReasons) return std::nullopt;
    if (covered != 0) return StatusProblem{Check::kCrlScope, "lists for some reasons", "for all"};
    return problem_;
  }

 private:
  const PathFacts& subject() const { return path_[depth_]->facts(); }

  /// Notes why a list is of no use; later steps of `is_usable` say more than earlier ones.
  bool refuse(Check check, std::string found, std::string wanted) {
    if (check >= problem_.check || problem_.check == Check::kCrlMissing) {
      problem_ = {check, std::move(found), std::move(wanted)};
    }
    return false;
  }

  /// Whose lists may speak of the certificate.
  std::set<KnownLists::Name> issuers_of_lists() const {
    std::set<KnownLists::Name> issuers = {subject().issuer.rdns};
    for (const PathDistributionPoint& point : subject().distribution_points) {
      for (const PathGeneralName& name : point.crl_issuer) {
        if (name.form == NameForm::kDirectory) issuers.insert(name.rdns);
      }
    }
    return issuers;
  }

  /// The certificate's points that may belong to a list of `issuer`. Lists of its own issuer need
  /// none: they are taken for those of a point named like that, for all reasons (RFC 5280 6.3.3,
  /// last paragraph).
  void find_points(const KnownLists::Name& issuer) {
    const bool own = issuer == subject().issuer.rdns;
    points_.clear();
    for (const PathDistributionPoint& point : subject().distribution_points) {
      const bool fits = point.crl_issuer.empty() ? own : has_directory(point.crl_issuer, issuer);
      if (fits && std::ranges::all_of(point.full_name, is_location)) points_.push_back(&point);
    }
    if (!own) return;
    implied_.has_name = true;
    implied_.full_name = {
        {.form = NameForm::kDirectory, .value = {}, .rdns = issuer, .text = subject().issuer.text}};
    points_.push_back(&implied_);
  }

  static bool covers_point(const CrlScope& scope, const PathDistributionPoint& point) {
    if (!scope.point.has_name) return true;
    const auto& names = point.has_name ? point.full_name : point.crl_issuer;
    return share_a_name(scope.point.full_name, names);
  }

  /// RFC 5280 6.3.3 (b).
  bool is_in_scope(const CrlFacts& crl) {
    const bool own = is_own(crl);
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
        points_, [](const PathDistributionPoint* point) { return !point->crl_issuer.empty(); });
    if (own && scope.indirect && scope.point.has_name && !expects_indirect) {
      return refuse(Check::kCrlScope, "an indirect list", "a direct one");
    }
    const bool covered = std::ranges::any_of(points_, [&scope](const PathDistributionPoint* point) {
      return covers_point(scope, *point);
    });
    if (!covered) {
      return refuse(Check::kCrlScope, "a list of another distribution point",
                    "of one in the certificate");
    }
    return true;
  }

  bool is_own(const CrlFacts& crl) const { return crl.issuer.rdns == subject().issuer.rdns; }

  bool verifies(const PathCrl& crl, const PathCertificate& issuer) {
    auto key = std::make_pair(&crl, issuer.facts().key.info);
    const auto known = known_.signatures.find(key);
    if (known != known_.signatures.end()) return known->second;
    if (!court_.take_signature(issuer.facts().key, crl.facts().der.size())) return false;
    return known_.signatures[std::move(key)] = crl.is_signed_by(issuer);
  }

  bool is_signed_by(const PathCrl& crl, const PathCertificate& issuer) {
    if (issuer.facts().subject.rdns != crl.facts().issuer.rdns || !verifies(crl, issuer)) {
      return false;
    }
    if (may_sign_lists(issuer.facts())) return true;
    return refuse(Check::kCrlIssuerMaySign, "keyUsage without cRLSign", "cRLSign");
  }

  /// A CA may have other keys for its lists than for certificates. A name alone does not make
  /// somebody that CA: it has certified the key itself, or whoever certified the CA has.
  bool is_same_authority(const PathCertificate& other) {
    for (std::size_t i = depth_ + 1; i < path_.size(); ++i) {
      const bool is_authority = path_[i]->facts().subject.rdns == subject().issuer.rdns;
      const bool is_above =
          i > depth_ + 1 && path_[i - 1]->facts().subject.rdns == subject().issuer.rdns;
      if (is_authority && path_[i]->facts().key.info == other.facts().key.info) return true;
      if (!is_authority && !is_above) continue;
      if (other.facts().issuer.rdns != path_[i]->facts().subject.rdns) continue;
      if (court_.is_signed(other, *path_[i])) return true;
    }
    return false;
  }

  bool is_trusted(const PathCertificate& other) {
    const PathCertificate& anchor = *path_.back();
    if (other == anchor) return true;
    auto key = std::make_tuple(court_.level, other.facts().fingerprint, anchor.facts().fingerprint);
    const auto known = known_.trusted.find(key);
    if (known != known_.trusted.end()) return known->second;
    const bool answer = court_.is_trusted(other, anchor);
    return known_.trusted[std::move(key)] = answer;
  }

  /// Who signed a list: somebody on the path, or elsewhere and trusted from the same anchor (RFC
  /// 5280 6.3.3 (f)).
  const PathCertificate* signer_of(const PathCrl& crl) {
    for (std::size_t i = depth_ + 1; i < path_.size(); ++i) {
      if (is_signed_by(crl, *path_[i])) return path_[i];
    }
    const auto& wanted_id = crl.facts().authority_key_id;
    for (const PathCertificate* other : known_.named(crl.facts().issuer.rdns)) {
      const auto& id = other->facts().subject_key_id;
      if (*other == *path_[depth_] || (wanted_id && id && *wanted_id != *id)) continue;
      if (is_own(crl.facts()) && !is_same_authority(*other)) continue;
      if (is_signed_by(crl, *other) && is_trusted(*other)) return other;
    }
    refuse(Check::kCrlSignature, "a signature by nobody on the path", "the issuer's");
    return nullptr;
  }

  bool is_usable(const CrlFacts& facts) {
    if (!is_in_scope(facts)) return false;
    if (!facts.defects.empty()) {
      return refuse(Check::kCrlUnusable, facts.defects.front().found, facts.defects.front().wanted);
    }
    if (at_ < facts.this_update) {
      return refuse(Check::kCrlFresh, "thisUpdate " + base::format_rfc3339(facts.this_update),
                    "at or before " + base::format_rfc3339(at_));
    }
    if (!facts.next_update || at_ > *facts.next_update) {
      return refuse(Check::kCrlFresh,
                    facts.next_update ? "nextUpdate " + base::format_rfc3339(*facts.next_update)
                                      : "no nextUpdate",
                    "at or after " + base::format_rfc3339(at_));
    }
    if (!own_rules().signature_allowed(facts.signature, {})) {
      return refuse(Check::kCrlSignature, facts.signature.text, "SHA-256 or better");
    }
    return true;
  }

  /// Those lists of `issuer` that can be used, in the order of the question.
  std::vector<SignedList> usable_of(const KnownLists::Name& issuer, bool deltas) {
    std::vector<SignedList> usable;
    for (const PathCrl* crl : known_.lists_of(issuer)) {
      const CrlFacts& facts = crl->facts();
      if (facts.is_delta() != deltas || !is_usable(facts)) continue;
      const PathCertificate* signer = signer_of(*crl);
      if (signer != nullptr) usable.push_back({&facts, &signer->facts().key.info});
    }
    return usable;
  }

  /// Complete lists that no newer one replaces. Notes the deltas that may add to them.
  std::vector<SignedList> newest_of(const KnownLists::Name& issuer) {
    std::vector<SignedList> lists = without_replaced(usable_of(issuer, false));
    deltas_.clear();
    if (!lists.empty()) deltas_ = usable_of(issuer, true);
    return lists;
  }

  /// What the certificate's points and the list's own limits leave (RFC 5280 6.3.3 (d)).
  unsigned reasons_of(const CrlFacts& crl) const {
    unsigned reasons = 0;
    for (const PathDistributionPoint* point : points_) {
      if (crl.scope && !covers_point(*crl.scope, *point)) continue;
      reasons |= point->has_reasons ? point->reasons : kAllReasons;
    }
    const bool some = crl.scope && crl.scope->point.has_reasons;
    return reasons & (some ? crl.scope->point.reasons : kAllReasons) & kAllReasons;
  }

  const CrlEntry* entry_in(const CrlFacts& crl) const {
    return crl.entries.find(subject().serial, subject().issuer);
  }

  /// What the newest delta that fits says instead, where it says something (RFC 5280 5.2.4).
  const CrlEntry* entry_in_delta(const SignedList& base) const {
    const CrlFacts* newest = nullptr;
    for (const SignedList& delta : deltas_) {
      const CrlFacts& facts = *delta.facts;
      if (*delta.key != *base.key || delta.scope() != base.scope()) continue;
      if (!base.facts->number || is_greater(*facts.base_number, *base.facts->number)) continue;
      if (facts.number && is_greater(*base.facts->number, *facts.number)) continue;
      if (newest == nullptr || is_newer(facts, *newest)) newest = &facts;
    }
    return newest == nullptr ? nullptr : entry_in(*newest);
  }

  bool is_revoked_by(const SignedList& list) const {
    if (const CrlEntry* entry = entry_in_delta(list)) return !entry->removed;
    return entry_in(*list.facts) != nullptr;
  }

  const Path& path_;
  std::size_t depth_;
  base::Instant at_;
  KnownLists& known_;
  const ListCourt& court_;
  StatusProblem problem_;
  PathDistributionPoint implied_;
  std::vector<const PathDistributionPoint*> points_;  ///< for the lists of one issuer
  std::vector<SignedList> deltas_;                    ///< likewise
};

}  // namespace

std::optional<PathFailure> check_revocation(const Path& path,
                                            base::Instant at,
                                            KnownLists& known,
                                            const ListCourt& court) {
  const std::vector<std::size_t> places = known.places_in(path);
  for (std::size_t i = 0; i + 1 < path.size(); ++i) {
    auto key = std::make_tuple(court.level, path[i]->facts().fingerprint, places[i]);
    auto status = known.statuses.find(key);
    if (status == known.statuses.end()) {
      auto answer = StatusQuestion(path, i, at, known, court).answer();
      status = known.statuses.emplace(std::move(key), std::move(answer)).first;
    }
    if (!status->second) continue;
    const auto& [check, found, wanted] = *status->second;
    return failure_of(check, *path[i], role_at(i, path.size(), true), i, found, wanted);
  }
  return std::nullopt;
}

}  // namespace meshtrust::pki
