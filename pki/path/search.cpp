#include "pki/path/search.h"

#include "base/encoding.h"
#include "base/text.h"
#include "pki/path/checks.h"
#include "pki/path/findings.h"
#include "pki/path/policy.h"
#include "pki/path/pools.h"
#include "pki/path/revocation.h"

#include <algorithm>
#include <array>
#include <map>
#include <memory>

namespace meshtrust::pki {
namespace {

/// How many complete paths are looked at when policies, names or lists refuse them.
constexpr std::size_t kMostPaths = 2'000;
/// Deeper than any real path; bounds the recursion.
constexpr std::size_t kDeepest = 100;

/// What verifying with this key costs, about, in verifications of P-256.
std::size_t cost_of(const PathKey& key) {
  constexpr int kBitsOfOne = 4096;
  if (key.kind == KeyKind::kRsa || key.kind == KeyKind::kRsaPss) {
    return 1 + static_cast<std::size_t>(key.bits / kBitsOfOne);
  }
  constexpr std::size_t kBigCurve = 10;
  return key.text == "ecdsa-p384" || key.text == "ecdsa-p521" || key.kind == KeyKind::kEd448
             ? kBigCurve
             : 1;
}

class Search {
 public:
  Search(const ChainQuestion& question, const Rules& rules, Purpose purpose)
      : question_(question), rules_(rules), purpose_(purpose), pools_(question, rules) {
    most_intermediates_ = std::min(
        {rules.most_intermediates, question.most_intermediates.value_or(kDeepest), kDeepest});
  }

  /// About somebody who signs lists. What it costs comes on top of what `asker` has spent.
  Search(const ChainQuestion& question, const Search& asker)
      : Search(question, asker.rules_, Purpose::kAny) {
    // NOLINTNEXTLINE(cppcoreguidelines-prefer-member-initializer): the constructor delegates
    lists_ = asker.lists_;
    court_.level = asker.court_.level + 1;
    take_counts_of(asker);
  }

  ChainVerdict run() {
    verdict_.judge = rules_.name;
    const PathCertificate& leaf = question_.chain.front();
    const bool trusted = std::ranges::find(question_.anchors, leaf) != question_.anchors.end();
    const bool is_anchor = trusted && rules_.leaf_may_be_anchor;
    leaf_failures_ = check_leaf(leaf, question_, purpose_, Role::kLeaf, leaf_rules());
    path_ = {&leaf};
    const bool found = !rules_.turns_back ? climb(is_anchor) : is_anchor ? complete() : grow();
    verdict_.candidates = candidates_;
    if (found && leaf_failures_.empty()) {
      verdict_.accepted = true;
      for (const PathCertificate* certificate : path_) {
        verdict_.path.push_back(*certificate);
      }
      return std::move(verdict_);
    }
    verdict_.failures = leaf_failures_;
    if (!found) verdict_.failures.push_back(best_failure());
    verdict_.reason = verdict_.failures.front().text();
    return std::move(verdict_);
  }

 private:
  /// What came closest to an anchor is the most helpful thing to tell.
  void note(PathFailure failure, std::size_t progress) {
    if (best_ && progress <= best_progress_) return;
    best_ = std::move(failure);
    best_progress_ = progress;
  }

  PathFailure best_failure() const {
    if (limit_reached_) {
      return failure_of(Check::kSearchLimit, *path_.front(), Role::kLeaf, 0,
                        base::count_of(candidates_, "issuer") + " tried", "fewer same-named CAs");
    }
    if (best_) return *best_;
    const PathCertificate& leaf = *path_.front();
    if (leaf.is_self_signed()) {
      return failure_of(Check::kSelfSigned, leaf, Role::kLeaf, 0, "a self-signed certificate",
                        "it among the roots");
    }
    return failure_of(Check::kNoIssuer, leaf, Role::kLeaf, 0,
                      "no issuer '" + leaf.facts().issuer.text + "'",
                      "one in the chain or the roots");
  }

  bool repeats(const Candidate& candidate) const {
    if (candidate.is_anchor && rules_.anchors_may_repeat) return false;
    return std::ranges::any_of(path_, [&](const PathCertificate* one) {
      if (*one == *candidate.certificate) return true;
      const PathFacts& a = one->facts();
      const PathFacts& b = candidate.certificate->facts();
      if (rules_.loop == LoopRule::kSameCertificate || a.key.info != b.key.info) return false;
      if (pools_.name_key(a.subject) != pools_.name_key(b.subject)) return false;
      return rules_.loop == LoopRule::kSameNameAndKey ||
             a.alternative_names_der == b.alternative_names_der;
    });
  }

  bool take_candidate() {
    if (++candidates_ > rules_.most_candidates) limit_reached_ = true;
    return !limit_reached_;
  }

  bool take_signature(const PathKey& key, std::size_t bytes = 0) {
    constexpr std::size_t kBytesOfOne = 65'536;  // hashed while one signature is verified
    signatures_ += rules_.signatures_last ? 1 : cost_of(key) + bytes / kBytesOfOne;
    if (signatures_ > rules_.most_signatures) limit_reached_ = true;
    return !limit_reached_;
  }

  /// Whether `child` was signed with `issuer`'s key; asked once of each key.
  bool is_signed(const PathCertificate& child, const PathCertificate& issuer) {
    const auto key = std::make_pair(&child, issuer.facts().key.info);
    if (const auto known = signed_.find(key); known != signed_.end() && !rules_.signatures_last) {
      return known->second;
    }
    if (!take_signature(issuer.facts().key)) return false;
    return signed_[key] = child.is_signed_by(issuer);
  }

  std::optional<PathFailure> check_signature(std::size_t depth, const PathCertificate& issuer) {
    const PathCertificate& child = *path_[depth];
    const Role role = depth == 0 ? Role::kLeaf : Role::kIntermediate;
    if (auto failure = check_algorithm(child, role, depth, issuer, rules_)) return failure;
    const bool is_imagined = depth == 0 && !question_.leaf_signer.empty();
    const bool holds =
        is_imagined ? issuer.facts().key.info == question_.leaf_signer : is_signed(child, issuer);
    if (holds) return std::nullopt;
    return failure_of(Check::kSignature, child, role, depth,
                      "signed by another key than that of '" + issuer.facts().subject.text + "'");
  }

  /// The name constraints of `holder`, above `path_`, against every certificate below it.
  std::optional<PathFailure> check_names(const PathCertificate& holder, Role role) {
    if (holder.name_space() == nullptr || !rules_.checks(Check::kNamePermitted, role)) {
      return std::nullopt;
    }
    for (std::size_t i = 0; i < path_.size(); ++i) {
      const PathFacts& facts = path_[i]->facts();
      if (i != 0 && rules_.constraints_spare_self_issued && facts.is_self_issued()) continue;
      if (rules_.constraints_spare_without_names && !facts.has_alternative_names) continue;
      comparisons_ += holder.name_space()->comparisons(facts, rules_.constraints);
      if (comparisons_ > rules_.most_comparisons) limit_reached_ = true;
      const auto key = std::make_pair(path_[i], &holder);
      auto known = violations_.find(key);
      if (known == violations_.end()) {
        auto found = holder.name_space()->violation(facts, rules_.constraints);
        if (!found && i == 0) {
          found = holder.name_space()->violation_of_lone_names(facts, rules_.constraints);
        }
        known = violations_.emplace(key, std::move(found)).first;
      }
      if (!known->second) continue;
      return failure_of(known->second->check, *path_[i], i == 0 ? Role::kLeaf : Role::kIntermediate,
                        i, known->second->name,
                        "within the constraints of '" + holder.facts().subject.text + "'");
    }
    return std::nullopt;
  }

  /// Everything that can be said of `candidate` above `path_` before going on from it.
  std::optional<PathFailure> check_candidate(const Candidate& candidate) {
    const PathCertificate& issuer = *candidate.certificate;
    const Role role = candidate.is_anchor ? Role::kAnchor : Role::kIntermediate;
    if (auto failure = check_alone(issuer, role, path_.size(), question_.at, rules_)) {
      return failure;
    }
    if (auto failure = check_as_issuer(issuer, role, path_, rules_)) return failure;
    const std::size_t untrusted =
        candidate.is_anchor ? untrusted_.value_or(path_.size()) : SIZE_MAX;
    path_.push_back(&issuer);
    auto usages = check_usages(path_, untrusted, purpose_, rules_);
    path_.pop_back();
    if (usages) return usages;
    if (rules_.signatures_last) return std::nullopt;
    if (auto failure = check_signature(path_.size() - 1, issuer)) return failure;
    return check_names(issuer, role);
  }

  /// From the anchor down, as somebody does who builds first.
  std::optional<PathFailure> check_all_signatures() {
    for (std::size_t i = path_.size() - 1; i-- > 0;) {
      if (auto failure = check_signature(i, *path_[i + 1])) return failure;
    }
    return std::nullopt;
  }

  std::optional<PathFailure> check_all_names() {
    const Path whole = path_;
    std::optional<PathFailure> failure;
    while (path_.size() > 1 && !failure) {
      const PathCertificate& holder = *path_.back();
      const Role role = path_.size() == whole.size() ? Role::kAnchor : Role::kIntermediate;
      path_.pop_back();
      failure = check_names(holder, role);
    }
    path_ = whole;
    return failure;
  }

  std::optional<PathFailure> check_revoked() {
    if (!question_.asks_revocation || !rules_.is_ours) return std::nullopt;
    if (lists_ == nullptr) lists_ = std::make_shared<KnownLists>(question_);
    return check_revocation(path_, question_.at, *lists_, court_);
  }

  void take_counts_of(const Search& other) {
    candidates_ = other.candidates_;
    signatures_ = other.signatures_;
    paths_ = other.paths_;
    comparisons_ = other.comparisons_;
    limit_reached_ = other.limit_reached_;
  }

  /// Whoever signs lists need not sign certificates, be it a CA: its profile is not asked about.
  const Rules& leaf_rules() const { return court_.level == 0 ? rules_ : own_rules(); }

  /// Whether the certificate of a CRL issuer is good itself under `anchor`, its own status included
  /// (RFC 5280 6.3.3 (f)). One that only its own lists speak for is not.
  bool may_issue_lists(const PathCertificate& issuer, const PathCertificate& anchor) {
    constexpr std::size_t kDeepestIssuer = 2;
    constexpr std::size_t kMostIssuers = 50;
    if (court_.level == kDeepestIssuer) return false;
    if (++lists_->signers_asked > kMostIssuers) limit_reached_ = true;
    if (limit_reached_) return false;
    ChainQuestion about = question_;
    about.chain.front() = issuer;
    about.anchors = {anchor};
    about.name.reset();
    about.leaf_signer.clear();
    Search search(about, *this);
    const bool accepted = search.run().accepted;
    take_counts_of(search);
    return accepted;
  }

  /// Looks at `path_`, which ends in an anchor, as a whole.
  bool complete() {
    if (++paths_ > kMostPaths) limit_reached_ = true;
    if (limit_reached_) return false;
    std::optional<PathFailure> failure;
    if (rules_.signatures_last) failure = check_all_signatures();
    if (rules_.signatures_last && !failure) failure = check_all_names();
    if (!failure && rules_.checks(Check::kPolicy, Role::kLeaf)) {
      failure = check_policies(path_, rules_);
    }
    if (!failure && path_.size() == 1) failure = check_usages(path_, SIZE_MAX, purpose_, rules_);
    if (!failure) failure = check_revoked();
    if (limit_reached_) return false;
    if (!failure) return true;
    note(*std::move(failure), 2 * kDeepest + path_.size());
    return false;
  }

  bool follow(const Candidate& candidate) {
    path_.push_back(candidate.certificate);
    if (candidate.is_anchor ? complete() : grow()) return true;
    path_.pop_back();
    return false;
  }

  /// How long the path would be with `candidate`. For us those that count are those that count
  /// against a path length (RFC 5280 4.2.1.9), as long as somebody's limit is asked about.
  std::size_t counted_with(const PathCertificate& candidate) const {
    if (!rules_.is_ours || path_.size() > kDeepest) return path_.size();
    const auto is_counted = [](const PathCertificate* one) {
      return !one->facts().is_self_issued();
    };
    return static_cast<std::size_t>(std::count_if(path_.begin() + 1, path_.end(), is_counted)) +
           (is_counted(&candidate) ? 1 : 0);
  }

  bool try_candidate(const Candidate& candidate) {
    if (!take_candidate()) return false;
    if (repeats(candidate)) return false;
    if (!candidate.is_anchor && counted_with(*candidate.certificate) > most_intermediates_) {
      note(failure_of(Check::kDepth, *candidate.certificate, Role::kIntermediate, path_.size(),
                      base::count_of(counted_with(*candidate.certificate), "intermediate"),
                      "at most " + std::to_string(most_intermediates_)),
           path_.size());
      return false;
    }
    if (!candidate.is_anchor && !pools_.leads_somewhere(*candidate.certificate)) return false;
    if (auto failure = check_candidate(candidate)) {
      const std::size_t near = candidate.is_anchor ? kDeepest : 0;
      note(*std::move(failure), near + path_.size());
      return false;
    }
    return follow(candidate);
  }

  /// Goes on from the last certificate of `path_`; true when an anchor was reached for good.
  bool grow() {
    for (const Candidate& candidate : pools_.candidates(*path_.back())) {
      if (try_candidate(candidate)) return true;
      if (limit_reached_) return false;
    }
    return false;
  }

  /// Whose extensions do not decode is nobody's issuer.
  bool has_readable_extensions(const Candidate& candidate) const {
    const Role role = candidate.is_anchor ? Role::kAnchor : Role::kIntermediate;
    static constexpr std::array kReading = {Check::kVersion, Check::kExtensionReadable,
                                            Check::kDerTags, Check::kDerPadding};
    return std::ranges::none_of(candidate.certificate->facts().defects, [&](const Defect& defect) {
      return rules_.minds(defect, role) &&
             std::ranges::find(kReading, defect.check) != kReading.end();
    });
  }

  /// The first of `all` of this kind that a verifier without a way back takes for the issuer.
  const Candidate* first_issuer(const std::vector<Candidate>& all, bool is_anchor) const {
    const PathFacts& child = path_.back()->facts();
    for (const Candidate& candidate : all) {
      const PathFacts& facts = candidate.certificate->facts();
      if (candidate.is_anchor != is_anchor || repeats(candidate)) continue;
      if (!has_readable_extensions(candidate)) continue;
      const bool denied = facts.key_usage && (*facts.key_usage & kKeyCertSign) == 0;
      if (!denied && identifiers_agree(child, facts)) return &candidate;
    }
    return nullptr;
  }

  /// A self-signed leaf is looked up by name, and what is found first has to be the leaf.
  bool is_hidden_by_a_namesake() const {
    const PathCertificate& leaf = *path_.front();
    if (!looks_self_signed(leaf.facts())) return false;
    for (const Candidate& candidate : pools_.candidates(leaf)) {
      const PathFacts& facts = candidate.certificate->facts();
      const bool denied = facts.key_usage && (*facts.key_usage & kKeyCertSign) == 0;
      if (!candidate.is_anchor || denied || !identifiers_agree(leaf.facts(), facts)) continue;
      return *candidate.certificate != leaf;
    }
    return false;
  }

  /// Why nobody was taken for the issuer of `last`: there is none of that name, or the only ones
  /// are not those that its authority key identifier names, as after a root was renewed.
  PathFailure no_issuer_of(const PathCertificate& last, Role role) const {
    const PathFacts& facts = last.facts();
    const std::size_t depth = path_.size() - 1;
    const std::string name = "'" + facts.issuer.text + "'";
    for (const Candidate& candidate : pools_.candidates(last)) {
      const PathFacts& issuer = candidate.certificate->facts();
      if (identifiers_agree(facts, issuer)) continue;
      if (facts.authority_serial && *facts.authority_serial != issuer.serial_bytes) {
        return failure_of(Check::kNoIssuer, last, role, depth,
                          "issuer " + name + " with serial " + issuer.serial,
                          "serial " + base::to_hex(base::as_bytes(*facts.authority_serial)) +
                              ", which the authority key identifier names");
      }
      return failure_of(Check::kNoIssuer, last, role, depth,
                        "issuer " + name + " with another key identifier",
                        "the one that the authority key identifier names");
    }
    return failure_of(Check::kNoIssuer, last, role, depth, "no issuer " + name,
                      "one among the roots");
  }

  /// Takes the first issuer each time, anchors first, and looks at what came of it in the end.
  bool climb(bool leaf_is_anchor) {
    std::size_t untrusted = 0;  // certificates below the first anchor; 0: none was reached
    while (!looks_self_signed(path_.back()->facts()) && path_.size() <= most_intermediates_ + 1) {
      const std::vector<Candidate> all = pools_.candidates(*path_.back());
      const Candidate* next = first_issuer(all, true);
      if (next != nullptr && untrusted == 0) untrusted = path_.size();
      if (next == nullptr && untrusted == 0) next = first_issuer(all, false);
      if (next == nullptr) break;
      path_.push_back(next->certificate);
      ++candidates_;
    }
    if (untrusted == 0 && leaf_is_anchor && !is_hidden_by_a_namesake()) {
      // Trusted itself, and whatever was found above it as well: times and signatures are left.
      leaf_failures_ = check_leaf(*path_.front(), question_, purpose_, Role::kAnchor, rules_);
      if (path_.size() > 1 && looks_self_signed(path_.back()->facts())) path_.pop_back();
      return is_good(0);
    }
    if (untrusted != 0) return is_good(untrusted);
    const PathCertificate& last = *path_.back();
    const bool alone = looks_self_signed(last.facts());
    const Role role = path_.size() == 1 ? Role::kLeaf : Role::kIntermediate;
    note(alone ? failure_of(Check::kSelfSigned, last, role, path_.size() - 1,
                            "a self-signed certificate", "one among the roots")
               : no_issuer_of(last, role),
         path_.size());
    return false;
  }

  std::optional<PathFailure> check_lone_common_name() const {
    const PathFacts& leaf = path_.front()->facts();
    const bool constrained =
        std::any_of(path_.begin() + 1, path_.end(),
                    [](const PathCertificate* one) { return one->name_space() != nullptr; });
    if (rules_.refused_common_name == nullptr || !constrained || leaf.has_alternative_names) {
      return std::nullopt;
    }
    for (const std::string& name : leaf.common_names) {
      if (!rules_.refused_common_name(name)) continue;
      return failure_of(Check::kNameUnsupported, *path_.front(), Role::kLeaf, 0, name,
                        "alternative names");
    }
    return std::nullopt;
  }

  /// A certificate above one that is trusted itself.
  std::optional<PathFailure> check_trusted(const PathCertificate& issuer) {
    const Role role = Role::kAnchor;
    if (auto failure = check_alone(issuer, role, path_.size(), question_.at, rules_)) {
      return failure;
    }
    if (auto failure = check_signature(path_.size() - 1, issuer)) return failure;
    return check_names(issuer, role);
  }

  /// What is decoded late is decoded of trusted certificates too, but for the last.
  std::optional<PathFailure> check_readable_below_the_end(std::size_t untrusted) const {
    for (std::size_t i = untrusted; i + 1 < path_.size(); ++i) {
      const Role role = i == 0 ? Role::kLeaf : Role::kIntermediate;
      std::string problem = rules_.unreadable(*path_[i], role);
      if (problem.empty()) continue;
      return failure_of(Check::kExtensionReadable, *path_[i], role, i, std::move(problem));
    }
    return std::nullopt;
  }

  /// The path that `climb` made: each certificate at its place, and then the whole.
  bool is_good(std::size_t untrusted) {
    const Path whole = path_;
    untrusted_ = untrusted;
    std::optional<PathFailure> failure;
    path_.resize(1);
    for (std::size_t i = 1; i < whole.size() && !failure; ++i) {
      failure =
          untrusted == 0 ? check_trusted(*whole[i]) : check_candidate({whole[i], i >= untrusted});
      path_.push_back(whole[i]);
    }
    path_ = whole;
    if (!failure) failure = check_readable_below_the_end(untrusted);
    if (!failure) failure = check_lone_common_name();
    if (!failure) failure = check_policies(path_, rules_);
    if (failure) note(*std::move(failure), path_.size());
    return !best_;
  }

  const ChainQuestion& question_;
  const Rules& rules_;
  Purpose purpose_;
  Pools pools_;
  std::size_t most_intermediates_ = 0;
  std::optional<std::size_t> untrusted_;  // certificates below the first anchor of a made path

  Path path_;
  ChainVerdict verdict_;
  std::vector<PathFailure> leaf_failures_;
  std::optional<PathFailure> best_;
  std::size_t best_progress_ = 0;
  std::size_t candidates_ = 0;
  std::size_t signatures_ = 0;
  std::size_t paths_ = 0;
  std::size_t comparisons_ = 0;
  bool limit_reached_ = false;
  std::map<std::pair<const PathCertificate*, std::string>, bool> signed_;
  std::shared_ptr<KnownLists> lists_;
  ListCourt court_{
      .is_trusted = [this](
                        const PathCertificate& signer,
                        const PathCertificate& anchor) { return may_issue_lists(signer, anchor); },
      .is_signed = [this](const PathCertificate& child,
                          const PathCertificate& issuer) { return is_signed(child, issuer); },
      .take_signature = [this](const PathKey& key,
                               std::size_t bytes) { return take_signature(key, bytes); }};
  std::map<std::pair<const PathCertificate*, const PathCertificate*>,
           std::optional<NameSpace::Violation>>
      violations_;
};

/// The question as this verifier gets to see it, or the certificate at which it stops reading.
base::Result<ChainQuestion, PathFailure> as_seen(const ChainQuestion& question,
                                                 const Rules& rules) {
  ChainQuestion seen = question;
  for (auto* pool : {&seen.chain, &seen.anchors}) {
    for (PathCertificate& one : *pool) {
      const bool is_bare = rules.old_versions_are_bare && one.facts().version < 3;
      one = is_bare ? one.without_extensions() : one.seen_through(rules.view);
    }
  }
  if (!rules.reads_the_whole_chain) return seen;
  for (std::size_t i = 0; i < seen.chain.size(); ++i) {
    const Role role = i == 0 ? Role::kLeaf : Role::kIntermediate;
    if (is_readable(seen.chain[i], role, rules)) continue;
    auto failure = check_alone(seen.chain[i], role, i, question.at, rules);
    return base::Failure<PathFailure>{failure.value_or(
        failure_of(Check::kExtensionReadable, seen.chain[i], role, i, "what cannot be read"))};
  }
  std::erase_if(seen.anchors, [&rules](const PathCertificate& anchor) {
    return !is_readable(anchor, Role::kAnchor, rules);
  });
  return seen;
}

ChainVerdict search(const ChainQuestion& question, const Rules& rules) {
  if (question.purpose != Purpose::kAny || !rules.any_is_server_or_client) {
    return Search(question, rules, question.purpose).run();
  }
  ChainVerdict verdict = Search(question, rules, Purpose::kServer).run();
  return verdict.accepted ? verdict : Search(question, rules, Purpose::kClient).run();
}

}  // namespace

ChainVerdict judge_by_rules(const ChainQuestion& question, const Rules& rules) {
  ChainVerdict refused{.judge = std::string(rules.name),
                       .accepted = false,
                       .path = {},
                       .failures = {},
                       .reason = "there is no certificate to judge"};
  if (question.chain.empty()) return refused;
  if (rules.is_ours) {
    ChainVerdict verdict = search(question, rules);
    if (verdict.accepted) verdict.findings = findings_on(verdict.path, question);
    return verdict;
  }
  const auto seen = as_seen(question, rules);
  if (seen) return search(*seen, rules);
  refused.failures = {seen.error()};
  refused.reason = seen.error().text();
  return refused;
}

}  // namespace meshtrust::pki
