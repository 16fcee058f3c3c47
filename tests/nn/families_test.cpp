// Every model family against transformers in float64: folders of small models with what they should
// give (tools/golden/families.py). INK_FAMILIES names another folder of such folders.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "autograd/tape.h"
#include "nn/model_folder.h"
#include "nn/session.h"
#include "tensor/file.h"
#include "tests/nn/golden_weights.h"
#include "tests/temporary_folder.h"

namespace ink {
namespace {

namespace fs = std::filesystem;
using testing::difference;
using testing::largest;
using testing::TemporaryFolder;

// In f32. Among hundreds of models a few gradients are worse by a little.
constexpr double kTolerance = 2e-6, kManyTolerance = 3e-6, kBaseTolerance = 2e-5;
// Of gradients: those of a question's choices are opposite, and what is left of them is small.
constexpr double kChoiceTolerance = 2e-5;
constexpr int64_t kChoices = 2;   // of a question, in the batches
constexpr double kStored = 1e-7;  // what f32 numbers keep of f64

fs::path root() {
  const char* asked = std::getenv("INK_FAMILIES");
  return asked ? fs::path(asked) : fs::path(INK_SOURCE_DIR) / "tests/golden/families";
}

std::vector<fs::path> folders() {
  std::vector<fs::path> all;
  for (const auto& entry : fs::directory_iterator(root()))
    if (fs::exists(entry.path() / "expected.safetensors")) all.push_back(entry.path());
  std::ranges::sort(all);
  return all;
}

// What the model should make of one batch.
class Expected {
 public:
  explicit Expected(const fs::path& folder) : file_(folder / "expected.safetensors") {
    batch_ = {at("batch.ids"), at("batch.segments"), Tensor(), at("batch.offsets")};
    std::vector<int32_t> positions;
    const int32_t* offsets = batch_.offsets.data<int32_t>();
    for (int64_t b = 0; b < batch_.sequences(); ++b)
      for (int32_t t = 0; t < offsets[b + 1] - offsets[b]; ++t) positions.push_back(t);
    batch_.positions = from(positions);
  }

  const Packed& batch() const { return batch_; }
  bool has(const std::string& name) const { return file_.find(name) != nullptr; }
  Tensor at(const std::string& name) const { return file_.tensor(name); }
  const SafeTensors& file() const { return file_; }

 private:
  SafeTensors file_;
  Packed batch_;
};

// The sum of the losses of the heads that the model has, and of the mean squares of its states
// where it is a body alone.
Tensor loss_of(const Model& model, const Expected& expected, const Encoded& e) {
  const Tensor& offsets = expected.batch().offsets;
  std::vector<Tensor> parts;
  if (model.heads == Heads{.pooler = model.heads.pooler}) parts.push_back(mean(square(e.hidden)));
  if (expected.has("pooled")) parts.push_back(mean(square(model.body.pool(e.hidden, offsets))));
  if (model.masked_lm)
    parts.push_back(
        model.masked_lm->loss(e.hidden, expected.at("batch.rows"), expected.at("batch.labels")));
  if (model.pair)
    parts.push_back(
        model.pair->loss(model.body.pool(e.hidden, offsets), expected.at("batch.pairs")));
  if (model.replaced)
    parts.push_back(
        model.replaced->loss(e.hidden, converted(expected.at("batch.replaced"), e.hidden.dtype())));
  if (model.classification)
    parts.push_back(
        model.classification->loss(model.classification->logits(model.summary(e.hidden, offsets)),
                                   expected.at("batch.classes")));
  if (model.choice)
    parts.push_back(
        model.choice->loss(model.choice->logits(model.summary(e.hidden, offsets), kChoices),
                           expected.at("batch.choices")));
  if (model.tagging)
    parts.push_back(
        model.tagging->loss(model.tagging->logits(e.hidden), expected.at("batch.tags")));
  if (model.span)
    parts.push_back(model.span->loss(model.span->logits(e.hidden), offsets,
                                     expected.at("batch.starts"), expected.at("batch.ends")));
  Tensor sum = parts.front();
  for (size_t i = 1; i < parts.size(); ++i) sum = add(sum, parts[i]);
  return sum;
}

// Compares what is expected under `name`, where it is.
void expect_close(const Expected& expected, const std::string& name, const Tensor& x,
                  double tolerance) {
  if (!expected.has(name)) return;
  const Tensor reference = expected.at(name);
  EXPECT_LT(difference(x, reference) / largest(reference), tolerance) << name;
}

void expect_outputs(const Model& model, const Expected& expected, double tolerance) {
  const Packed& batch = expected.batch();
  const Encoded e = model.body(batch, {.all_hidden = true});
  for (size_t i = 0; i < e.all_hidden.size(); ++i) {
    const std::string name = "hidden." + std::to_string(i);
    EXPECT_TRUE(expected.has(name)) << name;
    expect_close(expected, name, e.all_hidden[i], tolerance);
  }
  EXPECT_FALSE(expected.has("hidden." + std::to_string(e.all_hidden.size()))) << "a layer less";
  if (expected.has("pooled"))
    expect_close(expected, "pooled", model.body.pool(e.hidden, batch.offsets), tolerance);
  if (model.masked_lm)
    expect_close(expected, "masked_lm",
                 model.masked_lm->logits(gather_rows(e.hidden, expected.at("batch.rows"))),
                 tolerance);
  if (model.pair)
    expect_close(expected, "pair", model.pair->logits(model.body.pool(e.hidden, batch.offsets)),
                 tolerance);
  if (model.replaced)
    expect_close(expected, "replaced", model.replaced->logits(e.hidden), tolerance);
  if (model.classification)
    expect_close(expected, "classification",
                 model.classification->logits(model.summary(e.hidden, batch.offsets)), tolerance);
  if (model.choice)
    expect_close(expected, "choice",
                 model.choice->logits(model.summary(e.hidden, batch.offsets), kChoices), tolerance);
  if (model.tagging) expect_close(expected, "tagging", model.tagging->logits(e.hidden), tolerance);
  if (model.span) expect_close(expected, "span", model.span->logits(e.hidden), tolerance);
  const double loss = expected.at("loss").item();
  EXPECT_NEAR(loss_of(model, expected, e).item(), loss, tolerance * std::abs(loss));
}

// Every gradient stored is one of ours, and every one of ours is stored or not there. Differences
// count relative to the tensor's largest number, but not below `floor` times the model's largest:
// where terms cancel, what is left is rounding. Where all of them cancel (a bias that shifts every
// score of a softmax), the model's largest is the measure.
void expect_gradients(Model& model, const Expected& expected, double tolerance, double floor) {
  Tape tape;
  tape.watch(model.parameters);
  const Gradients gradients = tape.backward(loss_of(model, expected, model.body(expected.batch())));
  double most = 0;
  for (const Parameter& p : model.parameters)
    if (gradients[p.value]) most = std::max(most, largest(gradients[p.value]));
  size_t compared = 0;
  const std::string prefix = std::string(model.config.family->prefix) + '.';
  for (const Parameter& p : model.parameters) {
    std::string name = "grad." + p.name;
    if (!expected.has(name) && p.name.starts_with(prefix))
      name = "grad." + p.name.substr(prefix.size());  // a body alone
    const Tensor gradient = gradients[p.value];
    if (!expected.has(name)) {
      EXPECT_TRUE(!gradient || largest(gradient) == 0) << p.name << " has a gradient";
      continue;
    }
    ++compared;
    const Tensor reference = expected.at(name);
    if (!gradient) {
      EXPECT_EQ(largest(reference), 0) << p.name << " has no gradient";
      continue;
    }
    ASSERT_EQ(gradient.shape(), reference.shape()) << p.name;
    const double own = largest(reference), least = own < 1e-9 * most ? 1 : floor;
    EXPECT_LT(difference(gradient, reference) / std::max(own, least * most), tolerance) << p.name;
  }
  const auto stored = std::ranges::count_if(
      expected.file().entries(), [](const auto& entry) { return entry.name.starts_with("grad."); });
  EXPECT_EQ(compared, static_cast<size_t>(stored));
}

class Families : public ::testing::TestWithParam<fs::path> {};

TEST_P(Families, EqualTransformers) {
  const Expected expected(GetParam());
  Model model = load_model(GetParam());
  const bool base = model.config.hidden_size > 256;
  expect_outputs(model, expected, base ? kBaseTolerance : kTolerance);
  if (base) return;
  model.parameters.own();
  const double usual = std::getenv("INK_FAMILIES") ? kManyTolerance : kTolerance;
  expect_gradients(model, expected, model.choice ? kChoiceTolerance : usual, 0.1);
}

// The same in f64, where rounding hides nothing: what is stored has 24 bits.
TEST_P(Families, EqualTransformersInF64) {
  const Expected expected(GetParam());
  Model model = load_model(GetParam());
  if (model.config.hidden_size > 256) GTEST_SKIP() << "small models only";
  for (Parameter& p : model.parameters) p.value = converted(p.value, Dtype::f64);
  expect_outputs(model, expected, kStored);
  expect_gradients(model, expected, kStored, 1e-7);
}

// Packed weights give the same numbers; a sentence gives the same bits alone and among others.
TEST_P(Families, SessionDoesNotSeeTheBatch) {
  const Expected expected(GetParam());
  const Session session(GetParam());
  const Packed& batch = expected.batch();
  const Tensor hidden = session.encode(batch).hidden;
  const int32_t* at = batch.offsets.data<int32_t>();
  for (int64_t b = 0; b < batch.sequences(); ++b) {
    const auto rows = [&](const Tensor& x) { return contiguous(slice(x, 0, at[b], at[b + 1])); };
    const Packed alone{rows(batch.ids), rows(batch.segments), rows(batch.positions),
                       from(std::vector<int32_t>{0, at[b + 1] - at[b]})};
    EXPECT_TRUE(equal_bits(session.encode(alone).hidden, rows(hidden))) << b;
  }
  int last = 0;
  while (expected.has("hidden." + std::to_string(last + 1))) ++last;
  expect_close(expected, "hidden." + std::to_string(last), hidden, kBaseTolerance);
}

// A saved model is the same model, with the names and keys it came with.
TEST_P(Families, SavedAndReadAgain) {
  const Model model = load_model(GetParam());
  const TemporaryFolder folder;
  save_model(model, folder.path());
  const Model again = load_model(folder.path());
  EXPECT_EQ(again.heads, model.heads);
  EXPECT_TRUE(again.config.to_json() == ModelConfig::read(folder.path() / "config.json").to_json());
  ASSERT_EQ(again.parameters.size(), model.parameters.size());
  for (const Parameter& p : model.parameters)
    EXPECT_TRUE(equal_bits(again.parameters.at(p.name).value, p.value)) << p.name;
  const Json before = parse_json(read_file(GetParam() / "config.json", 1 << 20), "before");
  const Json after = parse_json(read_file(folder.path() / "config.json", 1 << 20), "after");
  for (const auto& [key, value] : before.members()) {
    if (key == "dtype") continue;  // we write f32
    EXPECT_TRUE(after.has(key) && after[key] == value)
        << key << ": " << (after.has(key) ? after[key].to_string() : "gone");
  }
}

std::string name_of_folder(const ::testing::TestParamInfo<fs::path>& info) {
  std::string name = info.param.filename().string();
  std::ranges::replace_if(
      name, [](char c) { return !std::isalnum(c); }, '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, Families, ::testing::ValuesIn(folders()), name_of_folder);

TEST(Xlnet, QueryStream) {
  const fs::path folder = root() / "xlnet-MaskedLM";
  if (!fs::exists(folder)) GTEST_SKIP() << "no xlnet-MaskedLM in " << root();
  const Expected expected(folder);
  const Model model = load_model(folder);
  std::vector<Tensor> visible;
  for (int64_t b = 0; b < expected.batch().sequences(); ++b)
    visible.push_back(expected.at("visible." + std::to_string(b)));
  const auto& body = std::get<XlnetBody>(model.body.kind);
  expect_close(expected, "query", body.two_streams(expected.batch(), visible).query, kTolerance);
}

}  // namespace
}  // namespace ink
