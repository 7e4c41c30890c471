#include "pki/inspect.h"

#include "base/encoding.h"
#include "base/text.h"
#include "cli/commands/commands.h"
#include "cli/exit_code.h"
#include "cli/proof.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace meshtrust::cli {
namespace {

using base::Json;

constexpr std::size_t kLargestFile = std::size_t{16} << 20U;

std::string field(std::string_view name, const std::string& value) {
  return value.empty() ? std::string() : fmt::format("  {:<12} {}\n", name, value);
}

std::string limits_of(const pki::CertificateFacts& facts) {
  if (!facts.basic_constraints || !facts.basic_constraints->is_ca) return "no CA";
  const auto& length = facts.basic_constraints->path_length;
  return length ? fmt::format("CA, pathlen {}", *length) : "CA, no pathlen";
}

std::string names_of(const pki::CertificateFacts& facts) {
  std::vector<std::string> names;
  for (const std::string& name : facts.dns_names) {
    names.push_back("DNS:" + name);
  }
  for (const std::string& name : facts.uris) {
    names.push_back("URI:" + name);
  }
  for (const std::string& name : facts.ip_addresses) {
    names.push_back("IP:" + name);
  }
  for (const std::string& name : facts.emails) {
    names.push_back("email:" + name);
  }
  return base::join(names, ", ");
}

/// One object as people read it.
struct TextOf {
  base::Instant now;

  std::string operator()(const pki::Certificate& certificate) const {
    const auto& facts = certificate.facts();
    const auto usage = facts.key_usage ? base::join(facts.key_usage->bits, ", ") : std::string();
    return field("subject", facts.subject) + field("issuer", facts.issuer) +
           field("valid", fmt::format("{} to {}", base::format_date(facts.not_before),
                                      expiry_text(facts.not_after, now))) +
           field("key", facts.key_type) + field("role", limits_of(facts)) + field("usage", usage) +
           field("ext. usage", base::join(facts.extended_key_usage, ", ")) +
           field("names", names_of(facts)) + field("serial", facts.serial) +
           field("sha256", base::group_hex(facts.fingerprint));
  }
  std::string operator()(const pki::PrivateKeyFacts& key) const {
    return field("encoding", key.encoding) +
           field("key", key.encrypted ? "encrypted" : key.key_type);
  }
  std::string operator()(const pki::CertificateRequestFacts& request) const {
    return field("subject", request.subject) + field("key", request.key_type) +
           field("signature", request.signature_valid ? "valid" : "invalid") +
           field("sha256", base::group_hex(request.fingerprint));
  }
  std::string operator()(const pki::RevocationListFacts& list) const {
    return field("issuer", list.issuer) + field("from", base::format_date(list.this_update)) +
           field("until", list.next_update ? expiry_text(*list.next_update, now) : "no end") +
           field("number", list.number.value_or("")) +
           field("revoked", base::count_of(list.revoked.size(), "certificate"));
  }
};

class InspectCommand final : public Command {
 public:
  void declare(CLI::App& app) override {
    app.add_option("FILE", files_, "PEM or DER files; - is standard input")
        ->required()
        ->option_text("FILE...");
  }

  int run(Session& session) override {
    std::vector<pki::InspectedObject> objects;
    base::Errors errors;
    for (const std::string& file : files_) {
      inspect_file(session, file, objects, errors);
    }
    Json items = Json::array();
    std::string text;
    for (const pki::InspectedObject& object : objects) {
      items.push_back(to_json(object));
      text += fmt::format("{}: {}\n{}", object.source, kind_of(object),
                          std::visit(TextOf{session.now()}, object.what));
    }
    if (!objects.empty()) {
      session.answer(
          {{"apiVersion", "meshtrust/v1"}, {"kind", "InspectionList"}, {"items", std::move(items)}},
          text);
    }
    session.console().show(errors);
    return exit_code_of(errors);
  }

 private:
  static void inspect_file(const Session& session,
                           const std::string& file,
                           std::vector<pki::InspectedObject>& objects,
                           base::Errors& errors) {
    const bool is_input = file == "-";
    const auto content =
        session.around.files.read_secret(is_input ? "/dev/stdin" : file, kLargestFile);
    if (!content) {
      errors.push_back(content.error());
      return;
    }
    auto found = pki::inspect(is_input ? "standard input" : file, *content);
    if (!found) {
      errors.push_back(found.error());
      return;
    }
    for (pki::InspectedObject& object : *found) {
      objects.push_back(std::move(object));
    }
  }

  std::vector<std::string> files_;
};

}  // namespace

CommandEntry inspect_command() {
  return {.name = "inspect",
          .group = "Files and keys",
          .summary = "what is in certificates, keys, requests and CRLs",
          .details =
              "Reads PEM (several objects a file) and DER. Of a private key it tells type and "
              "size, never more.",
          .examples = {{"A bundle", "meshtrust inspect east/*.pem"},
                       {"A certificate from a server",
                        "openssl s_client -connect host:443 </dev/null | meshtrust inspect -"},
                       {"For scripts", "meshtrust inspect root.pem -o json"}},
          .files = {"FILE...  read"},
          .make = make_command<InspectCommand>};
}

}  // namespace meshtrust::cli
