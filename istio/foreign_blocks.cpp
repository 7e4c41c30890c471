#include "istio/foreign_blocks.h"

#include "base/text.h"
#include "istio/acceptance_parts.h"
#include "istio/names.h"
#include "pki/pem.h"

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace meshtrust::istio {
namespace {

using pki::PemMarker;
using Problems = std::vector<BundleProblem>;

constexpr std::string_view kCertificate = "CERTIFICATE";
/// What OpenSSL called a certificate before 1998. Go's parser of one block does not look at the
/// label, its pools of certificates do.
constexpr std::string_view kOldCertificate = "X509 CERTIFICATE";

/// One certificate file, and what istiod uses it for; in the form with tls.crt two things each.
struct File {
  std::string_view name;
  std::string_view pem;
  bool is_signing = false;
  bool is_chain = false;
  bool is_roots = false;
  bool is_lists = false;
};

/// More of one file say nothing more.
constexpr std::size_t kMostTold = 8;

std::string kind_of(std::string_view label) {
  if (label.ends_with("CERTIFICATE REQUEST")) return "a certificate request";
  return fmt::format("'{}'", base::printable(label, 60));
}

std::string place_of(const File& file, const PemMarker& block) {
  return fmt::format("{}: block {} (line {})", file.name, block.number, block.line);
}

/// Whether istiod parses the block and stops where that fails.
bool is_parsed_at_start(const File& file, const PemMarker& block) {
  return file.is_roots || ((file.is_signing || file.is_chain) && block.is_first_seen);
}

std::string fate_of(const File& file, bool stops) {
  if (file.is_roots) return stops ? "istiod stops at it" : "istiod publishes it in every namespace";
  if (stops) return "istiod stops at it";
  return "istiod sends it to every workload with the chain, and ztunnel refuses such a chain";
}

void judge_key(const File& file, const PemMarker& block, Problems& problems) {
  const bool stops = block.is_seen && is_parsed_at_start(file, block);
  std::string who_has_it = "whoever got the file for a certificate has the key";
  if (file.is_roots || file.is_lists) {
    who_has_it = "istiod publishes this file in every namespace";
  } else if (file.is_chain) {
    who_has_it = "istiod sends this file to every workload, and ztunnel refuses it";
  }
  BundleProblem problem = bundle_problem(
      "private-key-among-certificates",
      fmt::format("{} is a private key ('{}'): {}{}; replace the key, taking the block out does "
                  "not bring it back",
                  place_of(file, block), base::printable(block.label, 60), who_has_it,
                  stops ? "; istiod stops at the block when it starts" : ""),
      stops);
  problem.is_unsafe = true;
  problem.breaks_workloads = file.is_chain && block.is_seen && !stops;
  problems.push_back(std::move(problem));
}

void judge_foreign(const File& file, const PemMarker& block, Problems& problems) {
  const bool is_old = block.label == kOldCertificate;
  const std::string place = place_of(file, block) + " is " + kind_of(block.label);
  if (file.is_signing && !file.is_chain) {
    if (block.is_first_seen && is_old) return;
    problems.push_back(
        block.is_first_seen
            ? bundle_problem("foreign-block", place + ", wanted 'CERTIFICATE': istiod stops at it",
                             true)
            : bundle_problem("foreign-block-passed-over",
                             place + ", and istiod reads the first block alone", false));
    return;
  }
  if (is_old && file.is_roots) {
    problems.push_back(bundle_problem(
        "foreign-block-passed-over",
        place + ", wanted 'CERTIFICATE': Go (istiod, agents) passes it over, so it is no root",
        false));
    return;
  }
  const bool stops = !is_old && is_parsed_at_start(file, block);
  BundleProblem problem = bundle_problem(
      "foreign-block", place + ", wanted 'CERTIFICATE': " + fate_of(file, stops), stops);
  problem.breaks_workloads = file.is_chain && !stops;
  problem.is_unsafe = !problem.breaks_workloads && !stops;
  problems.push_back(std::move(problem));
}

void judge_file(const File& file, Problems& problems) {
  const auto blocks = pki::find_markers(file.pem);
  bool has_seen_certificate = false;
  for (const PemMarker& block : blocks) {
    has_seen_certificate |= block.is_seen && block.label == kCertificate;
  }
  const std::size_t before = problems.size();
  for (const PemMarker& block : blocks) {
    if (problems.size() - before == kMostTold) {
      problems.back().message += "; what follows in the file was not looked at";
      return;
    }
    if (block.label.ends_with("PRIVATE KEY")) {
      judge_key(file, block, problems);
    } else if (file.is_lists) {
      continue;  // told where the lists are judged
    } else if (block.is_seen && block.label != kCertificate) {
      judge_foreign(file, block, problems);
    } else if (!block.is_seen && !block.obstacle.empty() && has_seen_certificate) {
      problems.push_back(
          bundle_problem("hidden-block",
                         fmt::format("{} is not seen by Go (istiod) nor BoringSSL (Envoy): {}",
                                     place_of(file, block), block.obstacle),
                         false));
    }
  }
}

}  // namespace

Problems problems_of_foreign_blocks(const BundleQuestion& question) {
  const PublicBundle& bundle = question.bundle;
  std::vector<File> files;
  if (question.form == BundleForm::kPem) {
    files = {{.name = kCaCertFile, .pem = bundle.ca_cert, .is_signing = true},
             {.name = kCertChainFile, .pem = bundle.cert_chain, .is_chain = true},
             {.name = kRootCertFile, .pem = bundle.root_cert, .is_roots = true}};
  } else {
    files = {{.name = kTlsCertFile, .pem = bundle.ca_cert, .is_signing = true, .is_chain = true},
             {.name = kTlsRootFile, .pem = bundle.root_cert, .is_roots = true}};
  }
  files.push_back({.name = kCaCrlFile, .pem = bundle.ca_crl, .is_lists = true});
  Problems problems;
  for (const File& file : files) {
    judge_file(file, problems);
  }
  return problems;
}

Problems problems_of_foreign_blocks(std::string_view name, std::string_view pem) {
  Problems problems;
  judge_file({.name = name,
              .pem = pem,
              .is_signing = name == kCaCertFile,
              .is_chain = name == kCertChainFile,
              .is_roots = name == kRootCertFile,
              .is_lists = name == kCaCrlFile},
             problems);
  return problems;
}

}  // namespace meshtrust::istio
