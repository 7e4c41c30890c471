// Makes distinct certificates, times linting them on one core, and, given a folder, writes them
// there as bundles for bench/papers.py.

#include "base/files.h"
#include "base/random.h"
#include "istio/bundle.h"
#include "istio/names.h"
#include "pki/issue.h"
#include "pki/lint.h"

#include <chrono>
#include <filesystem>
#include <functional>
#include <iomanip>
#include <iostream>
#include <span>
#include <string>
#include <vector>

namespace meshtrust {

namespace {

constexpr base::Instant kNow{base::Seconds(1'795'255'200)};
constexpr int kRounds = 5;

struct Made {
  pki::Certificate certificate;
  pki::PrivateKey key;
};

Made make_root(base::Random& random) {
  auto key = pki::PrivateKey::generate(pki::KeyAlgorithm::kEcdsaP256).value();
  auto root = pki::issue_root({.subject = pki::DistinguishedName::parse("O=Bench,CN=Root").value(),
                               .not_before = kNow - base::days(1),
                               .not_after = kNow + base::days(3650)},
                              key, random);
  return {.certificate = std::move(root).value(), .key = std::move(key)};
}

Made make_intermediate(const Made& root, int number, base::Random& random) {
  auto key = pki::PrivateKey::generate(pki::KeyAlgorithm::kEcdsaP256).value();
  auto made = pki::issue_intermediate(
      {.subject = pki::DistinguishedName::parse("O=Bench,CN=c" + std::to_string(number)).value(),
       .not_before = kNow - base::days(1),
       .not_after = kNow + base::days(700)},
      key.public_key(), root.certificate, root.key, random);
  return {.certificate = std::move(made).value(), .key = std::move(key)};
}

void write_bundle(const std::filesystem::path& folder, const Made& made, const Made& root) {
  base::DiskFiles files;
  std::filesystem::create_directories(folder);
  const istio::Bundle bundle = istio::make_bundle(
      std::vector{made.certificate}, std::vector{root.certificate}, made.key.to_pem().value());
  const auto put = [&](std::string_view name, const std::string& pem) {
    return files.write(folder / name, pem, base::Access::kPublic, base::Overwrite::kReplace);
  };
  put(istio::kCaCertFile, bundle.certificates.ca_cert).value();
  put(istio::kCertChainFile, bundle.certificates.cert_chain).value();
  put(istio::kRootCertFile, bundle.certificates.root_cert).value();
  files.write_secret(folder / istio::kCaKeyFile, bundle.ca_key, base::Overwrite::kReplace).value();
}

/// Certificates a second. `next` gives the one with a number: as it is, or read from its DER.
double lint_rate(std::size_t count,
                 const Made& root,
                 const std::function<pki::Certificate(std::size_t)>& next) {
  std::size_t findings = 0;
  const auto begin = std::chrono::steady_clock::now();
  for (int round = 0; round < kRounds; ++round) {
    for (std::size_t i = 0; i < count; ++i) {
      findings += pki::lint({.certificate = next(i),
                             .role = pki::LintRole::kIntermediate,
                             .issuer = &root.certificate,
                             .at = kNow})
                      .size();
    }
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  if (findings != 0) std::cerr << findings << " findings in sound certificates\n";
  return static_cast<double>(count) * kRounds / took.count();
}

void measure(int wanted, const std::filesystem::path& folder) {
  base::SystemRandom random;
  const Made root = make_root(random);
  std::vector<Made> all;
  for (int i = 0; i < wanted; ++i) {
    all.push_back(make_intermediate(root, i, random));
    if (!folder.empty()) write_bundle(folder / std::to_string(i), all.back(), root);
  }
  const double linting =
      lint_rate(all.size(), root, [&all](std::size_t i) { return all[i].certificate; });
  std::vector<base::Bytes> ders;
  ders.reserve(all.size());
  for (const Made& made : all) {
    ders.push_back(made.certificate.der());
  }
  all.clear();  // one that is in memory would not be read again
  const double reading = lint_rate(ders.size(), root, [&ders](std::size_t i) {
    return pki::Certificate::from_der(ders[i]).value();
  });
  std::cout << std::fixed << std::setprecision(0) << "lint " << linting << "\nparse-and-lint "
            << reading << '\n';
}

}  // namespace

}  // namespace meshtrust

int main(int count, char** words) {
  const std::span<char*> given(words, static_cast<std::size_t>(count));
  meshtrust::measure(given.size() > 1 ? std::stoi(given[1]) : 1000,
                     given.size() > 2 ? given[2] : std::filesystem::path());
  return 0;
}
