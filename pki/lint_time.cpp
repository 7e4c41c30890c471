#include "pki/lint_rules.h"

#include <array>

// Rules about validity. Those that need the present are silent where it is not given.

namespace meshtrust::pki {
namespace {

constexpr base::Seconds kSoon = base::days(30);
constexpr base::Seconds kTogether = base::days(1);
constexpr base::Seconds kLongestIntermediate = base::days(5 * 366);

std::string check_validity_order(const LintSubject& subject) {
  const CertificateFacts& facts = facts_of(subject);
  if (facts.not_before < facts.not_after) return "";
  return "ends at " + base::format_rfc3339(facts.not_after) + ", wanted later than its begin " +
         base::format_rfc3339(facts.not_before);
}

std::string check_begins_with_issuer(const LintSubject& subject) {
  if (subject.issuer == nullptr) return "";
  const base::Instant found = facts_of(subject).not_before;
  const base::Instant wanted = subject.issuer->facts().not_before;
  if (found >= wanted) return "";
  return "begins at " + base::format_rfc3339(found) + ", wanted no earlier than the issuer at " +
         base::format_rfc3339(wanted);
}

std::string check_outlives_issuer(const LintSubject& subject) {
  if (subject.issuer == nullptr) return "";
  const base::Instant found = facts_of(subject).not_after;
  const base::Instant wanted = subject.issuer->facts().not_after;
  if (found <= wanted) return "";
  return "ends at " + base::format_rfc3339(found) + ", wanted no later than the issuer at " +
         base::format_rfc3339(wanted);
}

std::string check_ends_with_issuer(const LintSubject& subject) {
  if (subject.issuer == nullptr || !subject.at) return "";
  const base::Seconds apart = subject.issuer->facts().not_after - facts_of(subject).not_after;
  if (apart > kTogether || -apart > kTogether) return "";
  return "ends on " + base::format_date(facts_of(subject).not_after) +
         ", the day on which its issuer ends, wanted well before";
}

std::string check_expired(const LintSubject& subject) {
  const base::Instant end = facts_of(subject).not_after;
  if (!subject.at || *subject.at <= end) return "";
  return "ended " + base::format_relative(end, *subject.at) + ", on " + base::format_date(end);
}

std::string check_not_yet(const LintSubject& subject) {
  const base::Instant begin = facts_of(subject).not_before;
  if (!subject.at || *subject.at >= begin) return "";
  return "begins " + base::format_relative(begin, *subject.at) + ", at " +
         base::format_rfc3339(begin);
}

std::string check_soon(const LintSubject& subject) {
  const base::Instant end = facts_of(subject).not_after;
  if (!subject.at || *subject.at > end || end - *subject.at >= kSoon) return "";
  return "ends " + base::format_relative(end, *subject.at) + ", on " + base::format_date(end);
}

std::string check_long_life(const LintSubject& subject) {
  const CertificateFacts& facts = facts_of(subject);
  const base::Seconds life = facts.not_after - facts.not_before;
  if (!subject.at || life <= kLongestIntermediate) return "";
  return "is valid for " + std::to_string(life / base::days(365)) + " years, wanted at most 5";
}

constexpr auto kError = Severity::kError;
constexpr auto kWarning = Severity::kWarning;
constexpr auto kNote = Severity::kNote;

constexpr std::array kRules = {
    CertificateRule{{"validity-order", kError, kCertificates, "RFC 5280 4.1.2.5",
                     "validity begins before it ends", "Go, Envoy, ztunnel, OpenSSL",
                     "There is no moment at which it is valid."},
                    check_validity_order},
    CertificateRule{{"begins-before-issuer", kWarning, kIntermediates | kWorkloads,
                     "mesh policy: validity nests in the issuer's",
                     "validity begins no earlier than the issuer's", "",
                     "Until its issuer begins, nobody accepts it."},
                    check_begins_with_issuer},
    CertificateRule{
        {"ca-outlives-issuer", kWarning, kIntermediates,
         "mesh policy: validity nests in the issuer's", "validity ends no later than the issuer's",
         "",
         "All verifiers accept it until the issuer ends; then everything below ends at once, while "
         "every expiry alarm set on the intermediate is still green. Two 'openssl ... -days 3650' "
         "one after the other do this: the second ends later by the seconds in between."},
        check_outlives_issuer},
    CertificateRule{
        {"ends-with-issuer", kWarning, kIntermediates, "mesh policy: one rotation at a time",
         "an intermediate ends well before its issuer", "",
         "Root and intermediate with the same life end together, so there is no quiet renewal of "
         "the intermediate: the first one to be done is a change of root, for the whole mesh, "
         "against the clock. Give intermediates a life that can be renewed under the same root, "
         "for example two years under ten."},
        check_ends_with_issuer},
    CertificateRule{{"expired", kError, kCertificates, "RFC 5280 6.1.3 (a) (2)", "it has not ended",
                     "Go, Envoy, OpenSSL; ztunnel but for roots",
                     "istiod does not start with it; ztunnel alone still accepts an ended root."},
                    check_expired},
    CertificateRule{{"not-yet-valid", kError, kCertificates, "RFC 5280 6.1.3 (a) (2)",
                     "it has begun", "Go, Envoy, OpenSSL; ztunnel but for roots",
                     "New CAs should be dated back an hour, for nodes whose clock is slow."},
                    check_not_yet},
    CertificateRule{{"expires-soon", kWarning, kAuthorities, "mesh policy: time to rotate",
                     "a CA does not end within 30 days", "",
                     "istiod cuts the life of workload certificates as its own CA nears its end, "
                     "so they are renewed ever more often, and then not at all."},
                    check_soon},
    CertificateRule{{"long-life", kNote, kIntermediates, "mesh policy: keys that lie in clusters",
                     "an intermediate lives at most five years", "",
                     "Its key lies in a Secret of the cluster, readable by whoever may read that."},
                    check_long_life},
};

}  // namespace

std::span<const CertificateRule> rules_of_time() {
  return kRules;
}

}  // namespace meshtrust::pki
