// Folders that would cost far more than they hold: memory and work are bounded by their files.
#include <gtest/gtest.h>

#include "nn/checkpoint.h"
#include "tensor/file.h"
#include "tests/expect_error.h"
#include "tests/hostile/torch_files.h"
#include "tests/nn/small_models.h"
#include "tests/peak_memory.h"
#include "tests/temporary_folder.h"

namespace ink {
namespace {

namespace fs = std::filesystem;
using testing::TemporaryFolder;

const LoadOptions kNewPooler{.heads = Heads{.pooler = true}, .new_heads = true};

// A golden folder of a family with some keys of its config.json set.
void write_family(const fs::path& folder, const char* name, const Json::Members& keys) {
  const fs::path golden = fs::path(INK_SOURCE_DIR) / "tests/golden/families" / name;
  Json config = parse_json(read_file(golden / "config.json", 1 << 20), "config.json");
  for (const auto& [key, value] : keys) config.set(key, value);
  write_file(folder / "config.json", config.to_string());
  fs::copy(golden / "model.safetensors", folder / "model.safetensors");
}

// A body whose tensors are all made of the same numbers by a stride: type, stride of rows.
std::string repeating_body(const ModelConfig& c, const std::string& type, size_t number,
                           bool expanded, size_t pad = 0) {
  const int64_t H = c.hidden_size, elements = H * H;
  const std::string block = hostile::storage(type, "0", elements);
  std::string program = hostile::kOrdered + '(';
  const Model shape(c, {}, [&](const std::string& name, const Shape& s, const Initial&) {
    const int64_t row = expanded ? 0 : s.rank() == 2 ? s[1] : 1;
    program += hostile::text(name);
    program += s.rank() == 2 ? hostile::tensor(block, 0, {s[0], s[1]}, {row, 1})
                             : hostile::tensor(block, 0, {s[0]}, {row});
    Strides none;
    for (int axis = 0; axis < s.rank(); ++axis) none.append(0);
    return view(zeros({1}), s, none, 0);
  });
  program += hostile::text("pad") + hostile::text(std::string(pad, 'p'));
  return hostile::torch_zip(program + 'u',
                            std::string(static_cast<size_t>(elements) * number, '\0'));
}

ModelConfig wide_config() {
  ModelConfig c;
  c.vocab_size = 100;
  c.hidden_size = 512;
  c.max_position_embeddings = 16;
  c.set_layers(40, 8, 512);
  return c;
}

TEST(HostileFolder, TensorsThatRepeatTheirNumbersAreBounded) {
  INK_SKIP_MEMORY_TEST();
  for (const auto& [type, number, expanded] :
       {std::tuple("FloatStorage", size_t{4}, true), std::tuple("HalfStorage", size_t{2}, false),
        std::tuple("DoubleStorage", size_t{8}, false)}) {
    SCOPED_TRACE(type);
    const TemporaryFolder folder;
    const ModelConfig config = wide_config();
    write_file(folder / "config.json", config.to_json().to_string());
    const std::string bytes = repeating_body(config, type, number, expanded);
    write_file(folder / "pytorch_model.bin", bytes);
    testing::expect_bounded_memory(bytes.size(), [&] {
      EXPECT_ERROR(load_model(folder.path(), {.heads = Heads{}}), "save the tensors with .clone()");
    });
  }
}

// What is borrowed costs nothing, however often: the archive aligns its numbers with one of the
// pads, as torch.save always does.
TEST(HostileFolder, TensorsThatShareTheirNumbersAreRead) {
  INK_SKIP_MEMORY_TEST();
  const TemporaryFolder folder;
  const ModelConfig config = wide_config();
  write_file(folder / "config.json", config.to_json().to_string());
  int loaded = 0;
  for (size_t pad = 0; pad < 4; ++pad) {
    const std::string bytes = repeating_body(config, "FloatStorage", 4, false, pad);
    write_file(folder / "pytorch_model.bin", bytes);
    testing::expect_bounded_memory(bytes.size(), [&] {
      load_model(folder.path(), {.heads = Heads{}});
      ++loaded;
    });
  }
  EXPECT_EQ(loaded, 1);
}

TEST(HostileFolder, WorkIsBounded) {
  const auto refused = [](const char* name, const Json::Members& keys, const char* complaint) {
    const TemporaryFolder folder;
    create_folders(folder.path());
    write_family(folder.path(), name, keys);
    EXPECT_ERROR(load_model(folder.path()), complaint);
  };
  refused("albert-groups",
          {{"num_hidden_groups", 1000}, {"inner_group_num", 1000}, {"num_hidden_layers", 1000}},
          "inner_group_num: expected an integer from 1 to 1, got 1000");
  refused("albert-groups", {{"num_hidden_groups", 6}}, "num_hidden_groups: expected an integer");
  refused("albert-groups",
          {{"num_hidden_groups", 1000}, {"num_hidden_layers", 1000}, {"inner_group_num", 1}},
          "missing albert.encoder");
  refused("mobilebert-PreTraining",
          {{"num_feedforward_networks", 1 << 20}, {"num_hidden_layers", 1000}},
          "num_feedforward_networks: expected an integer from 1 to 64");
}

// Building ends soon after more is missing than the file could have under other names.
TEST(HostileFolder, BuildingStopsWhereTooMuchIsMissing) {
  const TemporaryFolder folder;
  create_folders(folder.path());
  write_family(folder.path(), "mobilebert-PreTraining",
               {{"num_feedforward_networks", 64}, {"num_hidden_layers", 1000}});
  const ModelConfig config = ModelConfig::read(folder / "config.json");
  Checkpoint checkpoint(folder.path(), config, {});
  size_t asked = 0;
  EXPECT_ERROR(Model(config, checkpoint.heads(),
                     [&](const std::string& name, const Shape& shape, const Initial& initial) {
                       ++asked;
                       return checkpoint.value(name, shape, initial);
                     }),
               "the tensors do not fit the model: missing mobilebert.");
  EXPECT_LT(asked, 3 * Weights::open(folder.path()).entries().size() + 100);
}

// A new head is as wide as the body that config.json speaks of, which the file need not have.
TEST(HostileFolder, NewHeadsAreNotMadeForABodyThatDoesNotFit) {
  const TemporaryFolder folder;
  ModelConfig config = testing::small_config();
  config.hidden_size = 24576;
  config.vocab_size = 8;
  config.set_layers(1, 8, 8);
  create_folders(folder.path());
  write_file(folder / "config.json", config.to_json().to_string());
  write_safetensors(folder / "model.safetensors", std::vector<NamedTensor>{{"x", zeros({3})}});
  const size_t before = pool_statistics().in_use;
  reset_peak();
  EXPECT_ERROR(load_model(folder.path(), kNewPooler), "missing bert.embeddings");

  // There, but without layers no tensor is as large as the head would be.
  config.set_layers(0, 8, 8);
  config.max_position_embeddings = 2;
  write_file(folder / "config.json", config.to_json().to_string());
  std::vector<NamedTensor> body;
  const auto tensor = [&](const std::string& name, const Shape& shape, const Initial&) {
    body.push_back({name, zeros(shape)});
    return body.back().value;
  };
  { const Model model(config, {}, tensor); }
  write_safetensors(folder / "model.safetensors", body);
  body.clear();
  EXPECT_ERROR(load_model(folder.path(), kNewPooler), "new heads would need more than");
  EXPECT_LT(pool_statistics().peak - before, size_t{64} << 20);
}

// ── config.json ─────────────────────────────────────────────────────────────────────────────────

std::string many(size_t times, const std::function<std::string(size_t)>& text) {
  std::string out;
  for (size_t i = 0; i < times; ++i) out += (i ? "," : "") + text(i);
  return out;
}

TEST(HostileFolder, AConfigIsBounded) {
  INK_SKIP_MEMORY_TEST();
  const TemporaryFolder folder;
  save_model(Model(testing::small_config(), {}, random_values(Random(3))), folder.path());
  std::string config = read_file(folder / "config.json", 1 << 20);
  config.erase(config.rfind('}'));
  const auto text = [](const char* what) { return [=](size_t) { return std::string(what); }; };
  for (const std::string& more : {
           "\"x\":[" + many(2'000'000, text("0")) + "]",
           "\"x\":[" + many(1'500'000, text("[]")) + "]",
           many(400'000, [](size_t i) { return "\"" + std::to_string(i) + "\":0"; }),
           "\"id2label\":{" +
               many(300'000, [](size_t i) { return "\"" + std::to_string(i) + "\":\"\""; }) + "}",
           "\"x\":\"" + std::string(4'000'000, 'x') + "\"",
           "\"x\":[" + many(200'000, [](size_t) { return "\"" + std::string(16, 'x') + '"'; }) +
               "]",
       }) {
    SCOPED_TRACE(more.substr(0, 40));
    write_file(folder / "config.json", config + "," + more + "}");
    testing::expect_bounded_memory(config.size() + more.size(), [&] { load_model(folder.path()); });
  }
}

TEST(HostileFolder, ManyLabelsAreRead) {
  const auto label = [](size_t i) { return "LABEL_" + std::to_string(i); };
  const size_t n = 50'000;
  const Json json = parse_json(
      R"({"vocab_size": 9, "hidden_size": 4, "num_hidden_layers": 0, "num_attention_heads": 1,
          "intermediate_size": 4, "id2label": {)" +
          many(n, [&](size_t i) { return "\"" + std::to_string(i) + "\":\"" + label(i) + '"'; }) +
          "}, \"label2id\": {" +
          many(n, [&](size_t i) { return '"' + label(i) + "\":" + std::to_string(i); }) + "}}",
      "config.json");
  const TemporaryFolder folder;
  create_folders(folder.path());
  write_file(folder / "config.json", json.to_string(2));
  const ModelConfig config = ModelConfig::read(folder / "config.json");
  ASSERT_EQ(config.labels.size(), n);
  EXPECT_EQ(config.labels[n - 1], label(n - 1));
  EXPECT_TRUE(config.to_json()["label2id"] == json["label2id"]);
}

}  // namespace
}  // namespace ink
