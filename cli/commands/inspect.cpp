#include "pki/inspect.h"

#include "base/text.h"
#include "cli/commands/commands.h"
#include "cli/exit_code.h"
#include "cli/papers_text.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace meshtrust::cli {
namespace {

using base::Json;

Json to_json(const SeenEndpoint& seen) {
  return {{"kind", "TLSEndpoint"},
          {"source", seen.source},
          {"version", seen.answer.version},
          {"protocol", seen.answer.protocol},
          {"asksForClientCertificate", seen.answer.asked_for_client_certificate}};
}

class InspectCommand final : public Command {
 public:
  void declare(CLI::App& app) override { options_.declare(app); }

  int run(Session& session) override {
    options_.passphrase.keep_from_children();
    const Papers papers = read_papers(session, options_);
    if (!papers.objects.empty()) {
      session.answer(list_of(papers), render_papers(papers, session.now()));
    }
    if (!papers.skipped.empty()) {
      session.console().say(fmt::format("passed over {} with nothing known in it: {}",
                                        base::count_of(papers.skipped.size(), "file"),
                                        base::join(papers.skipped, ", ")));
    }
    for (const pki::Remark& remark : papers.remarks) {
      session.console().warn(text_of(remark));
    }
    session.console().show(papers.errors);
    return exit_code_of(papers.errors);
  }

 private:
  static Json list_of(const Papers& papers) {
    Json items = Json::array();
    for (const pki::InspectedObject& object : papers.objects) {
      items.push_back(pki::to_json(object));
    }
    for (const SeenEndpoint& seen : papers.endpoints) {
      items.push_back(to_json(seen));
    }
    Json list = {
        {"apiVersion", "meshtrust/v1"}, {"kind", "InspectionList"}, {"items", std::move(items)}};
    for (const pki::Remark& remark : papers.remarks) {
      list["remarks"].push_back(
          {{"source", remark.source}, {"code", remark.code}, {"message", remark.message}});
    }
    return list;
  }

  PaperOptions options_;
};

}  // namespace

CommandEntry inspect_command() {
  return {.name = "inspect",
          .group = "Files and keys",
          .summary = "what is in certificates, keys, requests and CRLs",
          .details =
              "Reads PEM (several objects a file), DER, PKCS#7, PKCS#12, Secrets and ConfigMaps as "
              "YAML or "
              "JSON, folders, and the certificates that a TLS server shows (tls://host:port). "
              "Certificates are drawn as a tree, each below the one that issued it, where its "
              "signature says so. Nothing is judged: that is what 'lint' and 'verify' are for. Of "
              "a private key it tells type and size, never more.",
          .examples = {{"A bundle", "meshtrust inspect east/"},
                       {"What istiod reads, from a live cluster",
                        "kubectl get secret cacerts -n istio-system -o yaml | meshtrust inspect -"},
                       {"What a server shows",
                        "meshtrust inspect tls://istiod.example:15012 --alpn h2 -o json"}},
          .files = {"FILE...  read"},
          .make = make_command<InspectCommand>};
}

}  // namespace meshtrust::cli
