#pragma once

#include "base/text.h"
#include "pki/lint.h"
#include "pki/path/failure.h"

#include <span>
#include <string>

// The chapters of the table of rules, for `lint.cpp`.

namespace meshtrust::pki {

/// A rule with its check: empty where the rule holds, else found versus wanted.
template <class Subject>
struct Checked {
  Rule rule;
  std::string (*check)(const Subject&);
};
using CertificateRule = Checked<LintSubject>;
using ListRule = Checked<ListSubject>;

std::span<const CertificateRule> rules_of_encoding();     ///< of every certificate
std::span<const CertificateRule> rules_of_keys();         ///< keys and signatures
std::span<const CertificateRule> rules_of_authorities();  ///< of roots and intermediates
std::span<const CertificateRule> rules_of_workloads();
std::span<const CertificateRule> rules_of_time();
std::span<const ListRule> rules_of_lists();

inline const CertificateFacts& facts_of(const LintSubject& subject) {
  return subject.certificate.facts();
}

inline std::string quoted(std::string_view text) {
  return "'" + base::printable(text, 120) + "'";
}

/// What `found` says of the first fault of this kind in the extensions, as path building reads
/// them; empty when there is none.
std::string fault_in_extensions(const LintSubject& subject, Check check);

/// Whether a signature of this algorithm is one that every verifier of a mesh takes.
bool is_good_signature(std::string_view algorithm);

}  // namespace meshtrust::pki
