// chains generate SEED COUNT    cases as JSON lines, and what they cover on standard error
// chains judge JUDGE...         reads cases, answers what meshtrust says each judge would say

#include "base/encoding.h"
#include "base/json.h"
#include "pki/path/judge_chain.h"
#include "tests/interop/verifiers/corpus.h"

#include <nlohmann/json.hpp>

#include <iostream>
#include <map>

namespace meshtrust::interop {
namespace {

using base::Json;

Json to_json(const Case& one) {
  Json json = {
      {"id", one.id},           {"maker", one.maker},     {"dimensions", one.dimensions},
      {"chain", Json::array()}, {"roots", Json::array()}, {"at", one.at.time_since_epoch().count()},
      {"purpose", one.purpose}, {"dns", one.dns},         {"ip", one.ip}};
  for (const base::Bytes& der : one.chain) {
    json["chain"].push_back(base::to_base64(der));
  }
  for (const base::Bytes& der : one.roots) {
    json["roots"].push_back(base::to_base64(der));
  }
  return json;
}

int generate(std::uint64_t seed, std::size_t count) {
  std::map<std::string, std::size_t> covered;
  for (const Case& one : make_corpus(seed, count)) {
    ++covered["by " + one.maker];
    for (const std::string& dimension : one.dimensions) {
      ++covered[dimension];
    }
    std::cout << base::compact(to_json(one)) << "\n";
  }
  std::cerr << count << " chains of seed " << seed << " over " << dimensions().size()
            << " dimensions\n";
  for (const auto& [name, times] : covered) {
    std::cerr << "  " << times << "  " << name << "\n";
  }
  return 0;
}

pki::Purpose purpose_of(const std::string& text) {
  if (text == "server") return pki::Purpose::kServer;
  return text == "client" ? pki::Purpose::kClient : pki::Purpose::kAny;
}

/// The question, or the reason why OpenSSL cannot even read it.
base::Result<pki::ChainQuestion> question_of(const Json& json) {
  pki::ChainQuestion question;
  const auto read = [](const Json& ders, auto& pool) -> base::Status {
    for (const Json& text : ders) {
      MESHTRUST_TRY(const base::Bytes der, base::from_base64(text.get<std::string>()));
      MESHTRUST_TRY(auto certificate, pki::PathCertificate::from_der(der));
      pool.push_back(std::move(certificate));
    }
    return {};
  };
  MESHTRUST_TRY_DO(read(json.at("chain"), question.chain));
  MESHTRUST_TRY_DO(read(json.at("roots"), question.anchors));
  question.at = base::Instant(base::Seconds(json.at("at").get<std::int64_t>()));
  question.purpose = purpose_of(base::string_at(json, "purpose"));
  const std::string dns = base::string_at(json, "dns");
  const std::string ip = base::string_at(json, "ip");
  if (!dns.empty()) question.name = {.form = pki::NameForm::kDns, .value = dns};
  if (!ip.empty()) {
    question.name = {.form = pki::NameForm::kIp, .value = pki::ip_octets(ip).value_or("")};
  }
  return question;
}

int judge(const std::vector<std::string>& judges) {
  for (std::string line; std::getline(std::cin, line);) {
    const auto json = base::parse_json(line, "a case");
    if (!json) return 1;
    const auto question = question_of(*json);
    Json answer = {{"id", base::string_at(*json, "id")}, {"verdicts", Json::object()}};
    for (const std::string& judge : judges) {
      const pki::ChainVerdict verdict = question
                                            ? judge_chain(*question, judge)
                                            : pki::ChainVerdict{.judge = judge,
                                                                .accepted = false,
                                                                .path = {},
                                                                .failures = {},
                                                                .reason = question.error().message};
      answer["verdicts"][judge] = {{"accepted", verdict.accepted}, {"reason", verdict.reason}};
    }
    std::cout << base::compact(answer) << "\n";
  }
  return 0;
}

}  // namespace
}  // namespace meshtrust::interop

int main(int count, char** words) {
  const std::vector<std::string> all(words + 1, words + count);
  if (all.size() == 3 && all[0] == "generate") {
    return meshtrust::interop::generate(std::stoull(all[1]), std::stoull(all[2]));
  }
  if (all.size() > 1 && all[0] == "judge") {
    return meshtrust::interop::judge({all.begin() + 1, all.end()});
  }
  std::cerr << "usage: chains generate SEED COUNT | chains judge JUDGE...\n";
  return 64;
}
