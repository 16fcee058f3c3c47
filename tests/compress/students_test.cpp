// Students by name: their sizes to the last parameter, and what they begin as.
#include "compress/students.h"

#include <gtest/gtest.h>

#include "compress/layer_map.h"
#include "compress/make_student.h"
#include "compress/teacher.h"
#include "nn/parameter_count.h"
#include "tests/compress/helpers.h"

namespace ink {
namespace {

constexpr int64_t kCased = 28996, kUncased = 30522, kChinese = 21128;

ModelConfig bert_base(int64_t vocabulary) {
  ModelConfig c;
  c.vocab_size = vocabulary;
  c.hidden_size = 768;
  c.set_layers(12, 12, 3072);
  return c;
}

int64_t parameters_of(const char* name, int64_t vocabulary, bool pooler) {
  const ModelConfig config = student_config(student_preset(name), bert_base(vocabulary));
  return parameter_count(config, {.pooler = pooler});
}

// Those of transformers' models of these sizes; T12-nano's head number does not count.
TEST(Students, HaveThePublishedNumbersOfParameters) {
  EXPECT_EQ(parameter_count(bert_base(kCased), {}), 107'719'680);
  EXPECT_EQ(parameter_count(bert_base(kCased), {.pooler = true}), 108'310'272);
  EXPECT_EQ(parameter_count(bert_base(kUncased), {}), 108'891'648);
  EXPECT_EQ(parameter_count(bert_base(kUncased), {.pooler = true}), 109'482'240);
  EXPECT_EQ(parameter_count(bert_base(kChinese), {}), 101'677'056);
  EXPECT_EQ(parameter_count(bert_base(kChinese), {.pooler = true}), 102'267'648);
  struct Row {
    const char* name;
    int64_t vocabulary, plain, with_pooler;  // 0: no pooler
  };
  for (const Row& row : {Row{"T6", kCased, 65'192'448, 65'783'040},
                         {"T3", kCased, 43'928'832, 44'519'424},
                         {"T3-small", kCased, 16'656'000, 16'803'840},
                         {"T4-tiny", kCased, 13'776'480, 13'874'136},
                         {"T12-nano", kCased, 17'032'192, 17'097'984},
                         {"T3", kChinese, 37'886'208, 38'476'800},
                         {"T3-small", kChinese, 13'634'688, 13'782'528},
                         {"T4-tiny", kChinese, 11'321'664, 11'419'320},
                         {"T6", kUncased, 66'364'416, 66'955'008},
                         {"T3", kUncased, 45'100'800, 45'691'392},
                         {"T4-tiny", kUncased, 14'252'592, 14'350'248},
                         {"TinyBERT-4", kUncased, 14'252'592, 14'350'248},
                         {"TinyBERT-6", kUncased, 66'364'416, 66'955'008},
                         {"MiniLM-L6-H384", kUncased, 22'565'376, 22'713'216},
                         {"MiniLM-L12-H384", kUncased, 33'212'160, 33'360'000},
                         {"DistilBERT", kUncased, 66'362'880, 0},
                         {"Electra-small", kChinese, 12'280'576, 0},
                         {"BiGRU", kCased, 30'932'736, 0}}) {
    EXPECT_EQ(parameters_of(row.name, row.vocabulary, false), row.plain) << row.name;
    if (row.with_pooler) {
      EXPECT_EQ(parameters_of(row.name, row.vocabulary, true), row.with_pooler) << row.name;
    }
  }
}

// Of one layer, by what is left without it, and of all.
TEST(Students, HaveThePublishedNumbersOfParametersInTheirLayers) {
  struct Row {
    const char* name;
    int64_t layer, encoder;
  };
  for (const Row& row : {Row{"T6", 7'087'872, 42'527'232},
                         {"T3", 7'087'872, 21'263'616},
                         {"T3-small", 1'774'464, 5'323'392},
                         {"T4-tiny", 1'142'184, 4'568'736},
                         {"T12-nano", 789'760, 9'477'120},
                         {"TinyBERT-4", 1'142'184, 4'568'736},
                         {"Electra-small", 789'760, 9'477'120}}) {
    const StudentPreset& preset = student_preset(row.name);
    const ModelConfig whole = student_config(preset, bert_base(kChinese));
    ModelConfig one_less = whole;
    one_less.set_layers(preset.layers - 1, preset.heads, preset.ffn);
    const int64_t layer = parameter_count(whole, {}) - parameter_count(one_less, {});
    EXPECT_EQ(layer, row.layer) << row.name;
    EXPECT_EQ(layer * preset.layers, row.encoder) << row.name;
    if (preset.embedding) {  // those of 128 channels, and their projection
      EXPECT_EQ(parameter_count(whole, {}) - row.encoder, 2'770'432 + 33'024);
    }
  }
}

// TextBrewer's lists go with its students, and with no others.
TEST(Students, FitTheMatchesOfTheirSize) {
  const ModelConfig teacher = bert_base(kCased);
  const auto fits = [&](const char* student, const std::string& matches) {
    DistillationConfig config;
    config.intermediate_matches = match_preset(matches);
    EXPECT_FALSE(config.intermediate_matches.empty()) << matches;
    config.settle(match_size(teacher),
                  match_size(student_config(student_preset(student), teacher)));
  };
  const auto all = [&](const char* student, const std::vector<std::string>& lists) {
    for (const std::string& matches : lists) fits(student, matches);
  };
  const std::vector<std::string> attention = {"attention_mse", "attention_mse_sum", "attention_ce",
                                              "attention_ce_mean"};
  all("T6", {"L6_hidden_mse", "L6_hidden_smmd"});
  all("T3", {"L3_hidden_mse", "L3_hidden_smmd"});
  all("T3-small", {"L3n_hidden_mse", "L3_hidden_smmd"});
  all("T4-tiny", {"L4t_hidden_mse", "L4_hidden_smmd", "L4t_hidden_sgram"});
  all("TinyBERT-4", {"L4t_hidden_mse", "L4_hidden_smmd", "L4t_hidden_sgram"});
  all("T12-nano", {"small_hidden_mse", "small_hidden_smmd"});
  for (const std::string& loss : attention) {
    for (const char* student : {"T3", "T3-small"}) fits(student, "L3_" + loss);
    fits("T4-tiny", "L4_" + loss);
  }
  EXPECT_ERROR(fits("T3", "L3n_hidden_mse"),
               "projects 384 to 768, but student and teacher have 768");
  EXPECT_ERROR(fits("T3-small", "L3_hidden_mse"), "needs \"proj\": [\"linear\", 384, 768]");
  EXPECT_ERROR(fits("T3", "L4_hidden_smmd"),
               "wants layer_S 4, but the student has hidden layers 0");
}

TEST(Students, NamesAreReadAsUsersWriteThem) {
  for (const char* name : {"T3-small", "t3-small", "T3_SMALL", "t3small", "T3 small"})
    EXPECT_STREQ(student_preset(name).name, "T3-small");
  EXPECT_STREQ(student_preset("bigru").name, "BiGRU");
  EXPECT_STREQ(student_preset("tinybert4").name, "TinyBERT-4");
  EXPECT_ERROR(student_preset("T3-smal"), "unknown preset 'T3-smal'; did you mean 'T3-small'?");
  EXPECT_ERROR(student_preset("GPT"), "expected one of T6, T3, T3-small");
}

// What the student reads is what the teacher's tokenizer makes.
TEST(Students, TakeVocabularyIdsAndPositionsFromTheTeacher) {
  ModelConfig roberta = bert_base(50265);
  roberta.family = &roberta_family();
  roberta.pad_token_id = 1;
  roberta.positions_after_padding = true;
  roberta.max_position_embeddings = 514;
  roberta.type_vocab_size = 1;
  roberta.layer_norm_eps = 1e-5;
  const ModelConfig t3 = student_config(student_preset("T3"), roberta);
  EXPECT_EQ(t3.family, &roberta_family());
  EXPECT_EQ(t3.longest(), 512);
  EXPECT_EQ(t3.type_vocab_size, 1);
  EXPECT_EQ(t3.layer_norm_eps, 1e-5);
  EXPECT_EQ(t3.vocab_size, 50265);
  const ModelConfig gru = student_config(student_preset("BiGRU"), roberta);
  EXPECT_EQ(gru.max_position_embeddings, 512);
  EXPECT_EQ(gru.longest(), 512);
  EXPECT_EQ(gru.pad_token_id, 1);
  ModelConfig xlnet = bert_base(32000);
  xlnet.family = &xlnet_family();
  xlnet.max_position_embeddings = 1 << 20;
  const ModelConfig of_xlnet = student_config(student_preset("T6"), xlnet);
  EXPECT_EQ(of_xlnet.family, &bert_family());
  EXPECT_EQ(of_xlnet.longest(), 512);
  EXPECT_EQ(of_xlnet.type_vocab_size, 3);
  ModelConfig distilbert = bert_base(kUncased);
  distilbert.family = &distilbert_family();
  distilbert.type_vocab_size = 0;
  EXPECT_EQ(student_config(student_preset("BiGRU"), distilbert).type_vocab_size, 2);
  ModelConfig electra = bert_base(kChinese);
  electra.family = &electra_family();
  EXPECT_EQ(student_config(student_preset("T4-tiny"), electra).embedding_channels(), 312);
}

TEST(Students, RulesChooseLayers) {
  using From = TeacherInit::From;
  const auto chosen = [](From from) { return chosen_layers({.from = from}, 12, 3); };
  EXPECT_EQ(chosen(From::uniform), (std::vector<int64_t>{0, 4, 8}));
  EXPECT_EQ(chosen(From::first), (std::vector<int64_t>{0, 1, 2}));
  EXPECT_EQ(chosen(From::last), (std::vector<int64_t>{9, 10, 11}));
  EXPECT_TRUE(chosen(From::embeddings).empty());
  EXPECT_ERROR(chosen_layers({.from = From::last}, 2, 3),
               "the student has 3 layers, the teacher 2");
}

Model small_teacher(int64_t layers = 4) { return tiny_model(tiny_config(layers, 4, 24), 1); }

ModelConfig small_student(const Family& family, int64_t layers) {
  ModelConfig c = tiny_config(layers, 4, 24);
  c.family = &family;
  return c;
}

const Tensor& value(const Model& model, const std::string& name) {
  return model.parameters.at(name).value;
}

TEST(Students, BeginAsLayersOfATeacherOfAnotherFamily) {
  const Model teacher = small_teacher();
  StudentOptions from{.architecture = small_student(distilbert_family(), 2)};
  from.init_from_teacher = TeacherInit{.from = TeacherInit::From::listed, .layers = {3, 1}};
  const Model student = make_student(from, teacher, Random(1));
  const auto expect_same = [&](const std::string& mine, const std::string& its) {
    EXPECT_TRUE(equal_bits(value(student, "distilbert." + mine), value(teacher, "bert." + its)))
        << mine;
  };
  expect_same("transformer.layer.0.attention.q_lin.weight",
              "encoder.layer.3.attention.self.query.weight");
  expect_same("transformer.layer.1.output_layer_norm.bias",
              "encoder.layer.1.output.LayerNorm.bias");
  expect_same("embeddings.position_embeddings.weight", "embeddings.position_embeddings.weight");
  expect_same("embeddings.LayerNorm.weight", "embeddings.LayerNorm.weight");
  from.init_from_teacher = TeacherInit{.from = TeacherInit::From::nothing};
  const Model fresh = make_student(from, teacher, Random(1));
  EXPECT_FALSE(equal_bits(value(fresh, "distilbert.embeddings.word_embeddings.weight"),
                          value(teacher, "bert.embeddings.word_embeddings.weight")));
}

TEST(Students, OfTheSameFamilyTakePoolerAndHeadWithTheLayers) {
  const Model teacher = small_teacher();
  StudentOptions from{.architecture = small_student(bert_family(), 2)};
  from.init_from_teacher = TeacherInit{.from = TeacherInit::From::uniform};
  const Model student = make_student(from, teacher, Random(1));
  const Model expected = model_from_layers(teacher, {0, 2});
  for (const Parameter& p : student.parameters)
    EXPECT_TRUE(equal_bits(p.value, value(expected, p.name))) << p.name;
}

TEST(Students, BiGruBeginsWithTheEmbeddingsOfRobertaFromItsFirstPosition) {
  ModelConfig config = tiny_config(2, 4, 24);
  config.family = &roberta_family();
  config.pad_token_id = 1;
  config.positions_after_padding = true;
  config.max_position_embeddings = 22;
  config.type_vocab_size = 1;
  const Model teacher(config, {.classification = true}, random_values(Random(3)));
  ModelConfig gru = tiny_config(1, 1, 12);
  gru.family = &bigru_family();
  gru.type_vocab_size = 1;
  StudentOptions from{.architecture = gru};
  from.init_from_teacher = TeacherInit{.from = TeacherInit::From::embeddings};
  const Model student = make_student(from, teacher, Random(1));
  EXPECT_TRUE(
      equal_bits(value(student, "bigru.embeddings.position_embeddings.weight"),
                 contiguous(slice(value(teacher, "roberta.embeddings.position_embeddings.weight"),
                                  0, 2, 22))));
  EXPECT_TRUE(equal_bits(value(student, "bigru.embeddings.word_embeddings.weight"),
                         value(teacher, "roberta.embeddings.word_embeddings.weight")));
}

TEST(Students, SmallerOnesTakeNoLayers) {
  const Model teacher = small_teacher();
  StudentOptions from{.architecture = tiny_config(2, 2, 24, 8)};
  from.init_from_teacher = TeacherInit{.from = TeacherInit::From::uniform};
  EXPECT_ERROR(make_student(from, teacher, Random(1)),
               "layers of other sizes cannot be taken over: expected init_from_teacher "
               "\"embeddings\" or \"none\"");
  from.init_from_teacher = TeacherInit{.from = TeacherInit::From::embeddings};
  make_student(from, teacher, Random(1));  // none fits
  from.architecture = small_student(bigru_family(), 1);
  from.init_from_teacher = TeacherInit{.from = TeacherInit::From::first};
  EXPECT_ERROR(make_student(from, teacher, Random(1)), "layers of bert are no layers of bigru");
  from.architecture = small_student(bert_family(), 2);
  from.init_from_teacher = TeacherInit{.from = TeacherInit::From::listed, .layers = {1}};
  EXPECT_ERROR(make_student(from, teacher, Random(1)),
               "the student has 2 layers; expected as many of the teacher in init_from_teacher");
  from = {.layers_from_teacher = {0}, .init_from_teacher = TeacherInit{}};
  EXPECT_ERROR(make_student(from, teacher, Random(1)),
               "init_from_teacher is for a preset or an architecture");
}

TEST(LayerMap, GivesBothLayersOfAPair) {
  for (const IntermediateMatch& m :
       mapped_matches(layer_map("last"), {12, 16}, {3, 16}, MatchLoss::nst)) {
    EXPECT_EQ(m.second_teacher, m.layer_teacher) << m.layer_student;
    EXPECT_EQ(m.second_student, m.layer_student);
  }
}

TEST(LayerMap, PairsEveryStudentLayer) {
  const auto layers = [](const char* name, int64_t teacher, int64_t student) {
    std::vector<int64_t> all;
    for (const IntermediateMatch& m :
         mapped_matches(layer_map(name), {teacher, 16}, {student, 8}, MatchLoss::hidden_mse)) {
      EXPECT_TRUE(m.projected());
      all.push_back(m.layer_teacher);
    }
    return all;
  };
  EXPECT_EQ(layers("uniform", 12, 3), (std::vector<int64_t>{0, 4, 8, 12}));
  EXPECT_EQ(layers("last", 12, 3), (std::vector<int64_t>{0, 10, 11, 12}));
  EXPECT_EQ(layers("uniform", 2, 4), (std::vector<int64_t>{0, 0, 1, 1, 2}));
  EXPECT_ERROR(layers("last", 2, 4), "last is for a student of at most the teacher's 2 layers");
  EXPECT_ERROR(layer_map("middle"), "layer_map: expected uniform, last or emd, got 'middle'");
}

}  // namespace
}  // namespace ink
