using System.Collections.Generic;
using System.Linq;

using FastAttn.Embeddings.Loading;
using FastAttn.Embeddings.Tests.Fixtures;
using FastAttn.Embeddings.Text;

using Xunit;

namespace FastAttn.Embeddings.Tests;

/// <summary>The tokenizer gives the ids that Hugging Face's does, and cuts texts as it does.</summary>
public static class TokenizerTests
{
    /// <summary>Texts with the ids that Hugging Face's tokenizers, the library in Rust, gives for them with the vocabulary of bert-base-uncased.</summary>
    public static TheoryData<string, int[]> Expected => new()
    {
        { "", [101, 102] },
        { "Hello, world!", [101, 7592, 1010, 2088, 999, 102] },
        { "The quick brown fox jumps over the lazy dog.", [101, 1996, 4248, 2829, 4419, 14523, 2058, 1996, 13971, 3899, 1012, 102] },
        { "Crème brûlée à la française, señor Ångström", [101, 13675, 21382, 7987, 9307, 2063, 1037, 2474, 18427, 1010, 12411, 2953, 17076, 15687, 102] },
        { "naïve café résumé \u2014 coöperate", [101, 15743, 7668, 13746, 1517, 17654, 102] },
        { "Zürich ÄÖÜ ß STRASSE ẞ", [101, 10204, 20118, 2226, 1096, 2358, 8180, 3366, 1096, 102] },
        { "İstanbul ıI Iİ", [101, 9960, 1104, 2072, 2462, 102] },
        { "Привет, как дела? ЁЖИК ёжик Й й", [101, 1194, 16856, 10325, 25529, 15290, 22919, 1010, 1189, 10260, 23925, 1184, 15290, 29436, 10260, 1029, 1185, 29743, 10325, 23925, 1185, 29743, 10325, 23925, 1188, 1188, 102] },
        { "Ελληνικά ΆΈΉ σίσυφος ΣΊΣΥΦΟΣ", [101, 1159, 29727, 29727, 24824, 16177, 18199, 29726, 14608, 1155, 29723, 24824, 1173, 18199, 29733, 29735, 29736, 15297, 1173, 18199, 29733, 29735, 29736, 29730, 29733, 102] },
        { "日本語のテキスト、カタカナとひらがな。", [101, 1864, 1876, 1950, 1671, 30239, 30227, 30233, 30240, 1635, 1700, 30235, 30226, 30241, 30192, 30199, 30211, 30177, 30193, 1636, 102] },
        { "がぎぐげご ガギグゲゴ パピ", [101, 1651, 30178, 30179, 30180, 30181, 1700, 30227, 30228, 30229, 30230, 1718, 30245, 102] },
        { "中文分词测试：你好，世界！", [101, 1746, 1861, 1775, 100, 100, 100, 1993, 100, 100, 1989, 1745, 100, 1986, 102] },
        { "한국어 문장입니다. 안녕하세요", [101, 1469, 30006, 30021, 29991, 30014, 30020, 29999, 30008, 1459, 30014, 30021, 30000, 30006, 30025, 29999, 30019, 30024, 29992, 30019, 29993, 30006, 1012, 1463, 30006, 30021, 29992, 30010, 30025, 30005, 30006, 29997, 30009, 29999, 30013, 102] },
        { "م\u064Fح\u064Eم\u064E\u0651د العربية نص للتجربة", [101, 1295, 29820, 22192, 15394, 1270, 23673, 29830, 17149, 29816, 14498, 19433, 1296, 29826, 1294, 23673, 29817, 29819, 17149, 29816, 19433, 102] },
        { "ह\u093Fन\u094Dद\u0940 म\u0947\u0902 एक व\u093Eक\u094Dय", [101, 1339, 29877, 29863, 29861, 29878, 1331, 1314, 29851, 1335, 29876, 29851, 29868, 102] },
        { "Tiếng Việt có dấu: đường phố Hà Nội", [101, 5495, 3070, 19710, 2522, 4830, 2226, 1024, 1102, 19098, 3070, 6887, 2080, 5292, 2053, 2072, 102] },
        { "emoji 😀😃 👩\u200D👩\u200D👧\u200D👦 🇩🇪 ❤\uFE0F ✈\uFE0F 👍\U0001F3FD ☕", [101, 7861, 29147, 2072, 100, 100, 100, 100, 100, 100, 100, 102] },
        { "𝒳 𝔘𝔫𝔦 math ∑∫≠ x\u00B2", [101, 100, 100, 8785, 100, 1027, 1060, 10701, 102] },
        { "\U00020000\U00020001 extension B \U00020BB7野家 \U0002B820\U0002B821", [101, 100, 100, 5331, 1038, 100, 1963, 1825, 100, 102] },
        { "public static int Main(string[] args) { return args.Length > 0 ? 1 : 0; } // ok", [101, 2270, 10763, 20014, 2364, 1006, 5164, 1031, 1033, 12098, 5620, 1007, 1063, 2709, 12098, 5620, 1012, 3091, 1028, 1014, 1029, 1015, 1024, 1014, 1025, 1065, 1013, 1013, 7929, 102] },
        { "for(i=0;i<n;i++){a[i]+=b_i*c->d;} /* x::y<T> */", [101, 2005, 1006, 1045, 1027, 1014, 1025, 1045, 1026, 1050, 1025, 1045, 1009, 1009, 1007, 1063, 1037, 1031, 1045, 1033, 1009, 1027, 1038, 1035, 1045, 1008, 1039, 1011, 1028, 1040, 1025, 1065, 1013, 1008, 1060, 1024, 1024, 1061, 1026, 1056, 1028, 1008, 1013, 102] },
        { "def f(x):\n\treturn x**2 # comment\r\n", [101, 13366, 1042, 1006, 1060, 1007, 1024, 2709, 1060, 1008, 1008, 1016, 1001, 7615, 102] },
        { "{\"key\": [1, 2.5e-3, null], \"ünïcode\": \"\\u00e9\"}", [101, 1063, 1000, 3145, 1000, 1024, 1031, 1015, 1010, 1016, 1012, 1019, 2063, 1011, 1017, 1010, 19701, 1033, 1010, 1000, 27260, 1000, 1024, 1000, 1032, 1057, 8889, 2063, 2683, 1000, 1065, 102] },
        { "https://example.com/a/b?c=d&e=%20f#g user@mail.org", [101, 16770, 1024, 1013, 1013, 2742, 1012, 4012, 1013, 1037, 1013, 1038, 1029, 1039, 1027, 1040, 1004, 1041, 1027, 1003, 2322, 2546, 1001, 1043, 5310, 1030, 5653, 1012, 8917, 102] },
        { "zero\u200Bwidth non\u00A0breaking \u2009thin \u3000ideographic \uFEFFbom soft\u00ADhyphen", [101, 5717, 9148, 11927, 2232, 2512, 4911, 4857, 8909, 8780, 14773, 8945, 2213, 3730, 10536, 8458, 2368, 102] },
        { "ctrl\u0001\u0007 tab\tnew\nline\rcr\u0085nel\u2028ls", [101, 14931, 12190, 21628, 2047, 2240, 13675, 11877, 1048, 2015, 102] },
        { "nul\u0000in �repl", [101, 16371, 4115, 16360, 2140, 102] },
        { "e\u0301 combining a\u0308 o\u0302\u0301 n\u0303", [101, 1041, 11566, 1037, 1051, 1050, 102] },
        { "ﬁ ligature \u2460 \u00BD ™ ℃ Å K", [101, 1984, 8018, 11244, 100, 1092, 1580, 100, 1037, 1047, 102] },
        { "[CLS] special [SEP] tokens [MASK] [UNK] [PAD] [cls]", [101, 101, 2569, 102, 19204, 2015, 103, 100, 0, 1031, 18856, 2015, 1033, 102] },
        { "[MASK]ed x[SEP]y", [101, 103, 3968, 1060, 102, 1061, 102] },
        { "supercalifragilisticexpialidocious", [101, 3565, 9289, 10128, 29181, 24411, 4588, 10288, 19312, 21273, 10085, 6313, 102] },
        { new string('a', 100), [101, 13360, .. Enumerable.Repeat(11057, 48), 2050, 102] },
        { new string('a', 101) + " end", [101, 100, 2203, 102] },
        { "10% $5 €6 £7 ¥8 ₿9 1,000,000 3.14159", [101, 2184, 1003, 1002, 1019, 1574, 2575, 1069, 2581, 1071, 2620, 100, 1015, 1010, 2199, 1010, 2199, 1017, 1012, 15471, 28154, 102] },
        { "don't O'Neil \u201Csmart\u201D \u2018quotes\u2019 \u00ABguillemets\u00BB …", [101, 2123, 1005, 1056, 1051, 1005, 6606, 1523, 6047, 1524, 1520, 16614, 1521, 1077, 26458, 6216, 11368, 2015, 1090, 1529, 102] },
        { "under_score hyphen-ated back\\slash pipe|d tilde~ caret^ backtick`", [101, 2104, 1035, 3556, 1044, 22571, 10222, 1011, 8823, 2094, 2067, 1032, 18296, 8667, 1064, 1040, 18681, 3207, 1066, 2729, 2102, 1034, 2067, 26348, 1036, 102] },
        { "!!!???...---===", [101, 999, 999, 999, 1029, 1029, 1029, 1012, 1012, 1012, 1011, 1011, 1011, 1027, 1027, 1027, 102] },
        { "ＦＵＬＬＷＩＤＴＨ \uFF76\uFF80\uFF76\uFF85 ￥", [101, 100, 100, 100, 102] },
        { "§¶©®°±\u00B4\u00A8\u00B8\u00AF", [101, 1073, 1086, 100, 102] },
        { "\u061C\u200E\u200Fbidi\u202Aembed\u202C \u2066iso\u2069", [101, 7226, 2666, 18552, 2094, 11163, 102] },
        { "\uE000private \u0378unassigned", [101, 2797, 100, 102] },
        { "𐐀 𐐨 Ა ა Ꭰ ꭰ", [101, 100, 100, 1438, 1438, 100, 100, 102] },
        { "\u09CB \u0DDC\u0DDD 각", [101, 1381, 29914, 100, 1455, 30006, 30020, 102] },
        { "ᾳ \u1FBC Ω \u037E \u1FEF", [101, 1155, 1155, 1179, 1025, 1036, 102] },
    };

    // This process has no globalization data (InvariantGlobalization), so that accents are stripped by the package's own table.
    [Theory]
    [MemberData(nameof(Expected))]
    public static void Ids_are_those_of_hugging_face(string text, int[] expected) => Assert.Equal(expected, PackagedModel.MiniLm.Tokenize(text));

    [Fact]
    public static void Halves_of_surrogate_pairs_are_left_out() => Assert.Equal(PackagedModel.MiniLm.Tokenize("lone x"), PackagedModel.MiniLm.Tokenize("lone\ud800 \udc00x"));

    [Theory]
    [InlineData("un wanted runn ing", 10, "[CLS] un [UNK] runn [UNK] [SEP]", false)]
    [InlineData("unwanted running", 7, "[CLS] un ##want ##ed runn ##ing [SEP]", false)]
    [InlineData("unwanted running", 6, "[CLS] un ##want ##ed runn [SEP]", true)]
    [InlineData("unwanted running", 3, "[CLS] un [SEP]", true)]
    [InlineData("unwanted running", 2, "[CLS] [SEP]", true)]
    [InlineData("unwanted [SEP]", 6, "[CLS] un ##want ##ed [SEP] [SEP]", false)]
    [InlineData("unwanted [SEP]", 5, "[CLS] un ##want ##ed [SEP]", true)]
    [InlineData("", 2, "[CLS] [SEP]", false)]
    public static void The_end_of_a_long_text_is_cut_off(string text, int maxTokens, string expected, bool isCut)
    {
        using var model = new TinyVocabulary();
        WordPieceTokenizer tokenizer = new(TokenizerReader.Read(model.Folder));
        List<int> ids = [];
        Assert.Equal(isCut, tokenizer.Encode(text, maxTokens, ids));
        Assert.Equal(TinyVocabulary.Ids(expected), ids);
    }
}
