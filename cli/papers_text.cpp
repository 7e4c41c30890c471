#include "cli/papers_text.h"

#include "base/encoding.h"
#include "base/text.h"
#include "cli/proof.h"
#include "pki/chain.h"
#include "pki/family.h"

#include <fmt/format.h>

namespace meshtrust::cli {
namespace {

using Lines = std::vector<std::string>;

constexpr std::size_t kMostSerials = 20;
constexpr int kDeepest = 16;

void put(Lines& lines, std::string_view name, const std::string& value) {
  if (!value.empty()) lines.push_back(fmt::format("{:<10} {}", name, base::printable(value, 4000)));
}

std::string limits_of(const pki::CertificateFacts& facts) {
  if (!facts.basic_constraints || !facts.basic_constraints->is_ca) return "no CA";
  const auto& length = facts.basic_constraints->path_length;
  return length ? fmt::format("CA, pathlen {}", *length) : "CA, no pathlen";
}

/// Requests and certificates name the same things in the same way.
template <class Facts>
std::string names_of(const Facts& facts) {
  Lines names;
  const auto add = [&names](std::string_view kind, const Lines& values) {
    for (const std::string& value : values) {
      names.push_back(fmt::format("{}:{}", kind, value));
    }
  };
  add("DNS", facts.dns_names);
  add("URI", facts.uris);
  add("IP", facts.ip_addresses);
  add("email", facts.emails);
  return base::join(names, ", ");
}

std::string usage_of(const pki::CertificateFacts& facts) {
  if (!facts.key_usage) return "";
  return base::join(facts.key_usage->bits, ", ") + (facts.key_usage->critical ? "" : " (advisory)");
}

Lines describe(const pki::Certificate& certificate, const Lines& sources, base::Instant now) {
  const auto& facts = certificate.facts();
  Lines lines;
  for (const std::string& source : sources) {
    put(lines, "found in", source);
  }
  put(lines, "valid",
      fmt::format("{} to {}", base::format_date(facts.not_before),
                  expiry_text(facts.not_after, now)));
  put(lines, "key", facts.key_type);
  put(lines, "signed", facts.signature_algorithm);
  put(lines, "role", limits_of(facts));
  put(lines, "usage", usage_of(facts));
  put(lines, "ext. usage", base::join(facts.extended_key_usage, ", "));
  put(lines, "names", names_of(facts));
  put(lines, "limits", facts.has_name_constraints ? "name constraints" : "");
  put(lines, "critical", base::join(facts.unknown_critical_extensions, ", "));
  put(lines, "serial", facts.serial);
  if (const auto above = pki::issuer_serial_in(certificate)) {
    put(lines, "issued by", fmt::format("the certificate with serial {} alone", *above));
  }
  put(lines, "sha256", base::group_hex(facts.fingerprint));
  return lines;
}

/// One object as people read it, but for certificates, which stand in the tree.
struct LinesOf {
  base::Instant now;

  Lines operator()(const pki::Certificate& /*certificate*/) const { return {}; }
  Lines operator()(const pki::PrivateKeyFacts& key) const {
    Lines lines;
    put(lines, "encoding", key.encoding);
    const std::string kind = key.key_type.empty() ? "encrypted" : key.key_type + ", encrypted";
    put(lines, "key", key.encrypted ? kind : key.key_type + ", in clear text");
    return lines;
  }
  Lines operator()(const pki::CertificateRequest& request) const {
    const auto& facts = request.facts();
    Lines lines;
    put(lines, "subject", facts.subject);
    put(lines, "key", facts.key_type);
    put(lines, "signature", facts.signature_valid ? "valid" : "invalid");
    put(lines, "names", names_of(facts));
    put(lines, "asks for", base::join(facts.extensions, ", "));
    put(lines, "sha256", base::group_hex(facts.fingerprint));
    return lines;
  }
  Lines operator()(const pki::RevocationList& list) const {
    const auto& facts = list.facts();
    Lines lines;
    put(lines, "issuer", facts.issuer);
    put(lines, "valid",
        fmt::format("{} to {}", base::format_date(facts.this_update),
                    facts.next_update ? expiry_text(*facts.next_update, now) : "no end"));
    put(lines, "number", facts.number.value_or(""));
    put(lines, "scope", facts.is_delta ? "a delta" : facts.is_partial ? "a part of its CA" : "");
    put(lines, "revoked", base::count_of(facts.revoked.size(), "certificate"));
    for (std::size_t i = 0; i < facts.revoked.size() && i < kMostSerials; ++i) {
      const auto& entry = facts.revoked[i];
      put(lines, "",
          fmt::format("{} on {}{}{}", entry.serial, base::format_date(entry.at),
                      entry.reason.empty() ? "" : ", ", entry.reason));
    }
    if (facts.revoked.size() > kMostSerials) {
      put(lines, "", fmt::format("and {} more", facts.revoked.size() - kMostSerials));
    }
    put(lines, "sha256", base::group_hex(facts.fingerprint));
    return lines;
  }
};

/// Draws certificates below those that issued them.
class Tree {
 public:
  Tree(const Papers& papers, base::Instant now) : now_(now) {
    family_ = pki::find_family(papers.certificates());
    sources_.resize(family_.members.size());
    children_.resize(family_.members.size());
    std::size_t number = 0;
    for (const pki::InspectedObject& object : papers.objects) {
      if (!std::holds_alternative<pki::Certificate>(object.what)) continue;
      sources_[family_.place[number++]].push_back(object.source);
    }
    for (std::size_t i = 0; i < family_.members.size(); ++i) {
      if (family_.issuer[i]) children_[*family_.issuer[i]].push_back(i);
    }
  }

  std::string draw() {
    for (std::size_t i = 0; i < family_.members.size(); ++i) {
      if (!family_.issuer[i]) tops_.push_back(i);
    }
    // NOLINTNEXTLINE(modernize-loop-convert): draw() adds what is too deep to be drawn in place
    for (std::size_t i = 0; i < tops_.size(); ++i) {
      draw({.member = tops_[i], .lead = "", .indent = "", .depth = 0});
    }
    return std::move(text_);
  }

 private:
  static std::string title_of(const pki::Certificate& certificate) {
    const auto& facts = certificate.facts();
    return facts.subject.empty() ? names_of(facts) : facts.subject;
  }

  struct Branch {
    std::size_t member;
    std::string lead;    ///< before the title
    std::string indent;  ///< before everything below it
    int depth;
  };

  void draw(const Branch& branch) {
    const pki::Certificate& certificate = family_.members[branch.member];
    text_ += branch.lead + base::printable(title_of(certificate), 4000) + "\n";
    const auto& children = children_[branch.member];
    const std::string margin = branch.indent + (children.empty() ? "    " : "│   ");
    if (branch.depth == 0 && !certificate.is_self_signed()) {
      text_ += fmt::format("{}{:<10} {}\n", margin, "issuer",
                           base::printable(certificate.facts().issuer, 4000));
    }
    for (const std::string& line : describe(certificate, sources_[branch.member], now_)) {
      text_ += margin + line + "\n";
    }
    for (const std::size_t child : children) {
      if (branch.depth == kDeepest) {
        tops_.push_back(child);  // a chain that nobody would read as a tree goes on at the margin
        continue;
      }
      const bool is_last = child == children.back();
      draw({.member = child,
            .lead = branch.indent + (is_last ? "└── " : "├── "),
            .indent = branch.indent + (is_last ? "    " : "│   "),
            .depth = branch.depth + 1});
    }
  }

  base::Instant now_;
  pki::Family family_;
  std::vector<Lines> sources_;
  std::vector<std::vector<std::size_t>> children_;
  std::vector<std::size_t> tops_;
  std::string text_;
};

std::string title_of(const pki::InspectedObject& object) {
  if (std::holds_alternative<pki::PrivateKeyFacts>(object.what)) return "private key";
  if (std::holds_alternative<pki::CertificateRequest>(object.what)) return "certificate request";
  return "revocation list";
}

std::string describe(const SeenEndpoint& seen) {
  std::string text = fmt::format("TLS server {}\n    version    {}\n", base::one_line(seen.source),
                                 seen.answer.version);
  if (!seen.answer.protocol.empty()) {
    text += fmt::format("    alpn       {}\n", base::printable(seen.answer.protocol, 255));
  }
  return text + fmt::format("    clients    {}\n", seen.answer.asked_for_client_certificate
                                                       ? "are asked for a certificate"
                                                       : "need no certificate");
}

}  // namespace

std::string render_papers(const Papers& papers, base::Instant now) {
  std::string text = Tree(papers, now).draw();
  for (const pki::InspectedObject& object : papers.objects) {
    if (std::holds_alternative<pki::Certificate>(object.what)) continue;
    text += fmt::format("{}\n    {:<10} {}\n", title_of(object), "found in",
                        base::printable(object.source, 4000));
    for (const std::string& line : std::visit(LinesOf{now}, object.what)) {
      text += "    " + line + "\n";
    }
  }
  for (const SeenEndpoint& seen : papers.endpoints) {
    text += describe(seen);
  }
  return text;
}

}  // namespace meshtrust::cli
