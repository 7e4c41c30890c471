#include "cli/import_text.h"

#include "base/encoding.h"
#include "base/text.h"
#include "cli/proof.h"
#include "pki/name.h"

#include <fmt/format.h>

#include <algorithm>

namespace meshtrust::cli {
namespace {

using pki::Certificate;

/// The common names of a subject, joined; the whole of one that cannot be read.
std::string common_name_of(const std::string& subject) {
  const auto name = pki::DistinguishedName::parse(subject);
  if (!name) return subject;
  std::vector<std::string> found;
  for (const pki::NameAttribute& attribute : name->attributes) {
    if (attribute.type == "CN") found.push_back(attribute.value);
  }
  return base::join(found, "+");
}

}  // namespace

std::vector<TakenPaper> taken_papers(std::span<const Certificate> chain,
                                     const Certificate& root,
                                     const std::string& first_role,
                                     const std::string& trusted_by) {
  std::vector<TakenPaper> taken;
  for (const Certificate& each : chain) {
    taken.push_back({each, taken.empty() ? first_role : "issues the one above"});
  }
  taken.push_back({root, fmt::format("the root that {} will trust", trusted_by)});
  return taken;
}

std::string render_taken(std::span<const TakenPaper> taken,
                         std::span<const Certificate> given,
                         base::Instant now) {
  std::string text = "this is taken:\n";
  for (const TakenPaper& each : taken) {
    const auto& facts = each.certificate.facts();
    text +=
        fmt::format("  {}\n    is:      {}\n    sha256:  {}\n    valid:   {} to {}\n",
                    base::printable(facts.subject), each.role, base::group_hex(facts.fingerprint),
                    base::format_date(facts.not_before), expiry_text(facts.not_after, now));
  }
  for (const Certificate& each : given) {
    if (std::ranges::find(taken, each, &TakenPaper::certificate) != taken.end()) continue;
    text += fmt::format("  not needed: {}\n", base::printable(each.facts().subject));
  }
  return text;
}

SubjectComparison compare_subjects(const std::string& asked_for, const std::string& given) {
  SubjectComparison compared;
  const std::string wanted = common_name_of(asked_for);
  const std::string found = common_name_of(given);
  if (found != wanted) {
    compared.difference = fmt::format("the common name is '{}', asked for was '{}'",
                                      base::printable(found), base::printable(wanted));
  }
  compared.text = asked_for == given
                      ? "  subject: as asked for\n"
                      : fmt::format("  subject: asked for '{}', given '{}': the common name {}\n",
                                    base::printable(asked_for), base::printable(given),
                                    found == wanted ? "is the same" : "differs");
  return compared;
}

}  // namespace meshtrust::cli
