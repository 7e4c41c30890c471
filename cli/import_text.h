#pragma once

#include "base/time.h"
#include "pki/certificate.h"

#include <span>
#include <string>
#include <vector>

namespace meshtrust::cli {

/// A certificate that an import is about to take, and what it is for us.
struct TakenPaper {
  pki::Certificate certificate;
  std::string role;  ///< "the CA of 'east', for the key that waits since 2026-11-21"
};

/// `first_role` for the first of `chain`; what lies between and the root, which `trusted_by` (a
/// word for whom) will trust.
std::vector<TakenPaper> taken_papers(std::span<const pki::Certificate> chain,
                                     const pki::Certificate& root,
                                     const std::string& first_role,
                                     const std::string& trusted_by);

/// All of them as people read it, and which of `given` are not needed.
std::string render_taken(std::span<const TakenPaper> taken,
                         std::span<const pki::Certificate> given,
                         base::Instant now);

/// How the subject that was given compares with the one that was asked for: both, and what differs
/// in words; empty words where the common names are the same.
struct SubjectComparison {
  std::string text;
  std::string difference;
};
SubjectComparison compare_subjects(const std::string& asked_for, const std::string& given);

}  // namespace meshtrust::cli
