#include "mesh/rotation/shape.h"

#include "base/encoding.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace meshtrust::mesh::rotation {
namespace {

using pki::Certificate;

/// Numbers values in the order in which they come up: equal tracks number alike.
class Numbers {
 public:
  std::size_t of(const std::string& value) {
    return numbers_.try_emplace(value, numbers_.size()).first->second;
  }

 private:
  std::map<std::string, std::size_t> numbers_;
};

std::string text_of(const base::Bytes& bytes) {
  return {bytes.begin(), bytes.end()};
}

class Describer {
 public:
  explicit Describer(const Span& span) : span_(span) {}

  void add(const TrustBundle& bundle) {
    known_.insert(known_.end(), bundle.parsed.roots.begin(), bundle.parsed.roots.end());
    known_.insert(known_.end(), bundle.parsed.cert_chain.begin(), bundle.parsed.cert_chain.end());
    known_.push_back(bundle.signer());
  }

  void describe(const TrustBundle& bundle) {
    text_ += "\nroots";
    for (const Certificate& root : bundle.parsed.roots) {
      text_ += ' ' + root.fingerprint();
      describe(root);
    }
    text_ += "\nfile " + std::to_string(numbers_.of(bundle.files.root_cert));
    text_ += "\nlists " + bundle.files.ca_crl + "\nforeign " + bundle.parsed.foreign_in_chain;
    text_ += "\nsigner";
    describe(bundle.signer());
    text_ += "\nchain";
    for (const Certificate& one : bundle.parsed.cert_chain) {
      describe(one);
    }
  }

  void note(const std::string& text) { text_ += '\n' + text; }

  std::string take() { return std::move(text_); }

 private:
  /// In its own words once, by its number from then on.
  void describe(const Certificate& one) {
    const bool is_known = described_.contains(one.fingerprint());
    const std::size_t number =
        described_.try_emplace(one.fingerprint(), described_.size()).first->second;
    text_ += fmt::format(" #{}", number);
    if (!is_known) text_ += words_for(one);
  }

  std::string words_for(const Certificate& one) {
    const pki::CertificateFacts& facts = one.facts();
    std::string words = fmt::format(
        "(v{} {} {} subject {} issuer {} key {} ski {} aki {} {} {} signed-by {}", facts.version,
        facts.key_type, facts.signature_algorithm, numbers_.of(text_of(facts.subject_der)),
        numbers_.of(text_of(facts.issuer_der)), numbers_.of(facts.key_id),
        number_or_none(facts.subject_key_id), number_or_none(facts.authority_key_id),
        facts.not_before <= span_.from ? "begun" : base::format_rfc3339(facts.not_before),
        facts.not_after >= span_.until ? "lasts" : base::format_rfc3339(facts.not_after),
        signer_of(one));
    if (const auto& constraints = facts.basic_constraints) {
      words += fmt::format(" ca {} {} {}", constraints->is_ca, constraints->critical,
                           constraints->path_length.value_or(-1));
    }
    if (const auto& usage = facts.key_usage) {
      words += fmt::format(" usage {} {}", usage->critical, fmt::join(usage->bits, "+"));
    }
    // What constrains names does so by its text, which is not in the facts.
    if (facts.has_name_constraints) words += " constrained " + one.fingerprint();
    return words + fmt::format(" eku {} critical {} names {})",
                               fmt::join(facts.extended_key_usage, "+"),
                               fmt::join(facts.unknown_critical_extensions, "+"),
                               facts.dns_names.size() + facts.uris.size());
  }

  std::string number_or_none(const std::optional<std::string>& value) {
    return value ? std::to_string(numbers_.of(*value)) : "none";
  }

  /// The key that made its signature, if it is one of the track's.
  std::string signer_of(const Certificate& one) {
    const auto signer = std::ranges::find_if(known_, [&one](const Certificate& candidate) {
      return candidate.facts().subject_der == one.facts().issuer_der && one.is_signed_by(candidate);
    });
    return signer == known_.end() ? "nobody here"
                                  : std::to_string(numbers_.of(signer->facts().key_id));
  }

  const Span& span_;
  std::vector<Certificate> known_;
  Numbers numbers_;
  std::map<std::string, std::size_t> described_;
  std::string text_;
};

}  // namespace

std::string shape_of(const Track& track, const Span& span) {
  Describer describer(span);
  describer.add(track.now);
  for (const auto& stage : track.updates) {
    for (const Update& update : stage) {
      describer.add(update.bundle);
    }
  }
  const Circumstances& is = track.circumstances;
  describer.note(fmt::format("istio {}.{}.{} {} {} {}", is.version.major, is.version.minor,
                             is.version.patch, is.multi_root, is.takes_pushes,
                             is.has_certificate_clients));
  describer.describe(track.now);
  for (const auto& stage : track.updates) {
    describer.note("stage");
    for (const Update& update : stage) {
      describer.note(update.restarts ? "restarts" : "hot");
      describer.describe(update.bundle);
    }
  }
  return describer.take();
}

}  // namespace meshtrust::mesh::rotation
