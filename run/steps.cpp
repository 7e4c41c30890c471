#include "run/steps.h"

#include "base/check.h"
#include "profiles/reference.h"

namespace meshtrust::run {
namespace {

/// One attempt at a step, by what it does.
struct Attempting {
  TrustSteps* trust;
  MeshSteps& mesh;
  const mesh::Step& step;
  const Tell& tell;

  TrustSteps& of_trust() const {
    MESHTRUST_CHECK(trust != nullptr);
    return *trust;
  }

  Outcome operator()(const mesh::MintRoot& wanted) const {
    Outcome outcome = of_trust().mint_root(wanted);
    // What is made from now on bears it.
    mesh.give(std::string(profiles::kRootReference), of_trust().root_mark());
    return outcome;
  }
  Outcome operator()(const mesh::PushTrust& wanted) const { return of_trust().push(step, wanted); }
  Outcome operator()(const mesh::MakeLists& wanted) const { return of_trust().make_lists(wanted); }
  Outcome operator()(const mesh::PushLists& wanted) const {
    return of_trust().push_lists(step, wanted);
  }
  Outcome operator()(const mesh::PublishTwin& wanted) const {
    return of_trust().publish(step, wanted);
  }
  Outcome operator()(const mesh::RecordArrival& wanted) const {
    return of_trust().record_arrival(wanted);
  }
  Outcome operator()(const mesh::ApplyObjects& wanted) const { return mesh.apply(step, wanted); }
  Outcome operator()(const mesh::Await& wanted) const { return mesh.await(step, wanted); }
  Outcome operator()(const mesh::AwaitTakeUp& wanted) const {
    return mesh.await_take_up(step, wanted);
  }
  Outcome operator()(const mesh::Install& wanted) const { return mesh.install(step, wanted, tell); }
  Outcome operator()(const mesh::RestartIstiod& wanted) const { return mesh.restart(step, wanted); }
  Outcome operator()(const mesh::Annotate& wanted) const { return mesh.annotate(step, wanted); }
  Outcome operator()(const mesh::ShareAccess& wanted) const { return mesh.share(step, wanted); }
  Outcome operator()(const mesh::Delete& wanted) const { return mesh.remove(step, wanted); }
  Outcome operator()(const mesh::DeleteNamespace& wanted) const {
    return mesh.remove_namespace(step, wanted);
  }
  Outcome operator()(const mesh::Uninstall& wanted) const { return mesh.uninstall(step, wanted); }
  Outcome operator()(const mesh::Sweep& wanted) const { return mesh.sweep(step, wanted); }
  Outcome operator()(const mesh::ReleaseNamespace& wanted) const {
    return mesh.release(step, wanted);
  }
};

}  // namespace

Outcome Steps::attempt(const mesh::Step& step, const Tell& tell) {
  return std::visit(Attempting{.trust = trust_, .mesh = mesh_, .step = step, .tell = tell},
                    step.action);
}

}  // namespace meshtrust::run
