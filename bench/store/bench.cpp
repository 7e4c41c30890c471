// Makes a trust store that has issued many intermediates, and times what opening it and asking it
// take; bench/store.py times the program on it.
//
// usage: store_bench STORE INTERMEDIATES; seconds of processor time
//
// The last thousand are in use, those before are not any more: a mesh of that size some years old.

#include "base/clock.h"
#include "base/encoding.h"
#include "base/files.h"
#include "base/random.h"
#include "ca/authority.h"
#include "ca/revocation.h"
#include "pki/rehearsal.h"
#include "run/observe.h"

#include <algorithm>
#include <ctime>
#include <iomanip>
#include <iostream>
#include <string>

namespace meshtrust {
namespace {

const ledger::Who benchmark{.user = "bench", .host = "bench", .command = "store_bench"};

constexpr int kInUse = 1000;

/// Certificates that differ in their serial numbers alone, each signed by the root: a whole minting
/// takes a hundred times as long, and what is read afterwards is the same.
class Mint {
 public:
  Mint(const pki::Signer& root, pki::Certificate pattern)
      : root_(root), pattern_(std::move(pattern)) {
    const base::Bytes serial = base::from_hex(pattern_.facts().serial).value();
    place_ =
        std::search(pattern_.der().begin(), pattern_.der().end(), serial.begin(), serial.end()) -
        pattern_.der().begin();
  }

  pki::Certificate next() {
    base::Bytes der = pattern_.der();
    ++number_;
    for (std::ptrdiff_t i = 0; i < 4; ++i) {
      der[static_cast<std::size_t>(place_ + 1 + i)] =
          static_cast<std::uint8_t>(number_ >> (8 * i) & 0xffU);
    }
    const base::Bytes signature = root_.sign(pki::signed_part(der)).value();
    return pki::Certificate::from_der(pki::with_signature(der, signature)).value();
  }

 private:
  const pki::Signer& root_;
  pki::Certificate pattern_;
  std::ptrdiff_t place_ = 0;
  std::uint32_t number_ = 0;
};

void make(const ca::Environment& environment, const std::string& path, int intermediates) {
  auto store = ca::TrustStore::create(environment, path, benchmark).value();
  auto lock = store.lock("bench").value();
  const auto root = ca::mint_root(
      store, lock, {.subject = pki::DistinguishedName::parse("O=Bench,CN=Root").value()},
      ca::KeyProtection::none(), benchmark);
  const auto first =
      ca::mint_intermediate(store, lock, *root->signer, {.cluster = "c0"}, benchmark).value();
  const base::Bytes crl = store.find(first.certificate.fingerprint())->newest_crl;
  Mint mint(*root->signer, first.certificate);
  for (int i = 1; i < intermediates; ++i) {
    const pki::Certificate one = mint.next();
    const std::string cluster = "c" + std::to_string(i);
    const bool is_last = i + 1 == intermediates;
    store
        .append(lock, benchmark,
                ledger::IntermediateMinted{.certificate = one, .cluster = cluster, .crl = crl},
                root->signer.get())
        .value();
    const ledger::Event end = i + kInUse < intermediates
                                  ? ledger::Event(ledger::Abandoned{one.fingerprint()})
                                  : ledger::Event(ledger::Pushed{one.fingerprint()});
    store.record(lock, end, benchmark, is_last ? root->signer.get() : nullptr).value();
  }
}

template <class Doing>
void time(std::string_view name, Doing doing) {
  const std::clock_t begin = std::clock();
  doing();
  const double took = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  std::cout << name << " " << std::fixed << std::setprecision(3) << took << "\n" << std::flush;
}

int time_all(const std::string& path, int intermediates) {
  base::DiskFiles files;
  base::SystemClock clock;
  base::SystemRandom random;
  const ca::Environment environment{files, clock, random,
                                    [](const std::string& words) { std::cerr << words << "\n"; }};
  time("make", [&] { make({files, clock, random}, path, intermediates); });
  std::optional<ca::TrustStore> store;
  time("read-rows", [&] { (void)ca::sqlite_storage(path + "/store.db")->read({}).value(); });
  time("open", [&] { store.emplace(ca::TrustStore::open(environment, path).value()); });
  time("issued", [&] { (void)store->issued(); });
  time("newest-lists", [&] { (void)ca::newest_crls(*store).value(); });
  time("observed-for-a-plan", [&] { (void)run::facts_of(*store); });
  std::optional<ca::StoreLock> lock;
  time("lock", [&] { lock.emplace(store->lock("bench").value()); });
  const auto key = ca::unlock_root(*store, {}).value();
  time("mint", [&] {
    (void)ca::mint_intermediate(*store, *lock, *key, {.cluster = "last"}, benchmark).value();
  });
  time("make-lists", [&] {
    const auto made = ca::make_crls(*store, *lock, *key, {}, benchmark);
    if (!made) std::cerr << made.error().message.substr(0, 200) << "\n";
  });
  return 0;
}

}  // namespace
}  // namespace meshtrust

int main(int count, char** words) {
  if (count != 3) {
    std::cerr << "usage: store_bench STORE INTERMEDIATES\n";
    return 64;
  }
  return meshtrust::time_all(words[1], std::stoi(words[2]));
}
