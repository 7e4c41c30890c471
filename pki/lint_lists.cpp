#include "pki/lint_rules.h"

#include <array>

// Rules about revocation lists, as Envoy and istiod read them. An error here is an outage: Envoy
// refuses every connection whose chain it cannot look up.

namespace meshtrust::pki {
namespace {

const RevocationListFacts& facts_of(const ListSubject& subject) {
  return subject.list.facts();
}

std::string check_version(const ListSubject& subject) {
  const int version = facts_of(subject).version;
  return version == 2 ? "" : "version is " + std::to_string(version) + ", wanted 2";
}

std::string check_number(const ListSubject& subject) {
  return facts_of(subject).number ? "" : "CRL number is absent, wanted one";
}

std::string check_authority_key_id(const ListSubject& subject) {
  const auto& found = facts_of(subject).authority_key_id;
  if (!found) return "authority key identifier is absent, wanted the issuer's";
  if (subject.issuer == nullptr) return "";
  const auto& wanted = subject.issuer->facts().subject_key_id;
  if (!wanted || *found == *wanted) return "";
  return "authority key identifier is " + *found + ", wanted the issuer's " + *wanted;
}

std::string check_next_update(const ListSubject& subject) {
  return facts_of(subject).next_update ? "" : "next update is absent, wanted one";
}

std::string check_expired(const ListSubject& subject) {
  const auto& end = facts_of(subject).next_update;
  if (!subject.at || !end || *subject.at <= *end) return "";
  return "ended " + base::format_relative(*end, *subject.at) + ", on " + base::format_date(*end);
}

std::string check_not_yet(const ListSubject& subject) {
  const base::Instant begin = facts_of(subject).this_update;
  if (!subject.at || *subject.at >= begin) return "";
  return "begins " + base::format_relative(begin, *subject.at) + ", at " +
         base::format_rfc3339(begin);
}

std::string check_soon(const ListSubject& subject) {
  const auto& end = facts_of(subject).next_update;
  if (!subject.at || !end || *subject.at > *end || *end - *subject.at >= kListExpiryWarning) {
    return "";
  }
  return "ends " + base::format_relative(*end, *subject.at) + ", on " + base::format_date(*end);
}

std::string check_whole(const ListSubject& subject) {
  return facts_of(subject).is_delta ? "this is a delta, wanted the whole list" : "";
}

std::string check_scope(const ListSubject& subject) {
  return facts_of(subject).is_partial
             ? "an issuing distribution point limits its scope, wanted all of its CA"
             : "";
}

std::string check_unknown_critical(const ListSubject& subject) {
  const auto& unknown = facts_of(subject).unknown_critical_extensions;
  if (unknown.empty()) return "";
  return "critical extension " + quoted(unknown.front()) + " is unknown, wanted none";
}

std::string check_hash(const ListSubject& subject) {
  const std::string& found = facts_of(subject).signature_algorithm;
  if (is_good_signature(found)) return "";
  return "signature is " + quoted(found) + ", wanted SHA-256, SHA-384 or SHA-512 with RSA or ECDSA";
}

std::string check_issuer_may_sign(const ListSubject& subject) {
  if (subject.issuer == nullptr) return "";
  const auto& usage = subject.issuer->facts().key_usage;
  if (!usage || usage->has("cRLSign")) return "";
  return "keyUsage of its issuer " + quoted(subject.issuer->facts().subject) + " lacks cRLSign";
}

std::string check_signature(const ListSubject& subject) {
  if (subject.issuer == nullptr || subject.list.is_signed_by(*subject.issuer)) return "";
  return "the signature does not verify with the key of " + quoted(subject.issuer->facts().subject);
}

constexpr auto kError = Severity::kError;
constexpr auto kWarning = Severity::kWarning;

constexpr std::array kRules = {
    ListRule{{"crl-version-2", kWarning, kLists, "RFC 5280 5.1.2.1", "version is 2", "",
              "Older lists carry no number and no key identifier."},
             check_version},
    ListRule{{"crl-number", kWarning, kLists, "RFC 5280 5.2.3", "a list has a number", "",
              "Without it nobody can tell which of two lists is the newer."},
             check_number},
    ListRule{{"crl-authority-key-id", kWarning, kLists, "RFC 5280 5.2.1",
              "a list names its issuer's key", "Envoy, when it names another",
              "Of two CAs with one name the list of the wrong one is taken."},
             check_authority_key_id},
    ListRule{
        {"crl-next-update", kWarning, kLists, "RFC 5280 5.1.2.5",
         "a list says when the next one comes", "", "Nothing then says when it has grown old."},
        check_next_update},
    ListRule{{"crl-expired", kError, kLists, "RFC 5280 6.3.3 (a)", "a list has not ended", "Envoy",
              "Envoy refuses every connection below this CA from that second on ('CRL has "
              "expired'); istiod takes the list without a word. Publish a fresh one, long-lived "
              "and early."},
             check_expired},
    ListRule{{"crl-not-yet-valid", kError, kLists, "RFC 5280 6.3.3 (a)", "a list has begun",
              "Envoy", "Envoy refuses every connection below this CA until then."},
             check_not_yet},
    ListRule{{"crl-expires-soon", kWarning, kLists, "mesh policy: an ended list is an outage",
              "a list does not end within 7 days", "",
              "Refresh it now: the way through istiod, ConfigMap and kubelet takes minutes, a "
              "weekend takes longer."},
             check_soon},
    ListRule{{"crl-whole", kError, kLists, "RFC 5280 5.2.4", "a list is no delta", "Envoy",
              "Envoy does not read deltas."},
             check_whole},
    ListRule{{"crl-scope", kError, kLists, "RFC 5280 5.2.5", "a list covers all of its CA", "Envoy",
              "Envoy reads neither indirect lists nor those of a part."},
             check_scope},
    ListRule{{"crl-unknown-critical-extension", kError, kLists, "RFC 5280 5.2",
              "no critical extension is unknown", "Go, Envoy, OpenSSL",
              "Whoever does not understand it must not use the list."},
             check_unknown_critical},
    ListRule{{"crl-signature-hash", kError, kLists, "RFC 5758",
              "a list is signed with SHA-256 or better", "Go, OpenSSL",
              "istiod, which is Go, does not believe it and then refuses the whole update."},
             check_hash},
    ListRule{{"crl-issuer-may-sign", kError, kLists, "RFC 5280 6.3.3 (f)",
              "the issuer of a list may sign lists", "Go, Envoy",
              "istiod does not believe the list ('missing CRL signed by certificates'), which is "
              "fatal at start; Envoy says 'key usage does not include CRL signing'."},
             check_issuer_may_sign},
    ListRule{{"crl-signature", kError, kLists, "RFC 5280 6.3.3 (g)",
              "a list is signed by the CA it names", "Go, Envoy, OpenSSL",
              "It belongs to a CA of the same name with another key, or was altered."},
             check_signature},
};

}  // namespace

std::span<const ListRule> rules_of_lists() {
  return kRules;
}

}  // namespace meshtrust::pki
