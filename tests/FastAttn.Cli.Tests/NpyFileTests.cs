using System;
using System.IO;
using System.Linq;
using System.Text;

using FastAttn.Cli.Npy;

using Xunit;

namespace FastAttn.Cli.Tests;

public sealed class NpyFileTests
{
    [Theory]
    [InlineData(new int[0])]
    [InlineData(new[] { 5 })]
    [InlineData(new[] { 2, 3 })]
    [InlineData(new[] { 2, 0, 3 })]
    [InlineData(new[] { 1, 2, 3, 4 })]
    public void What_is_written_is_read_back(int[] shape)
    {
        float[] data = [.. Enumerable.Range(0, shape.Aggregate(1, (a, b) => a * b)).Select(i => i == 0 ? float.NegativeZero : i / 3f)];
        using var file = new MemoryStream();
        NpyFile.Write(file, new NpyArray(shape, data));
        file.Position = 0;

        NpyArray read = NpyFile.Read(file);

        Assert.Equal(shape, read.Shape);
        Assert.Equal(data.Select(BitConverter.SingleToInt32Bits), read.Data.Select(BitConverter.SingleToInt32Bits));
    }

    [Fact]
    public void More_than_one_chunk_is_read_back()
    {
        float[] data = [.. Enumerable.Range(0, (1 << 22) + 3).Select(i => (float)i)];
        using var file = new MemoryStream();
        NpyFile.Write(file, new NpyArray([data.Length], data));
        file.Position = 0;

        Assert.Equal(data, NpyFile.Read(file).Data);
    }

    [Fact]
    public void Data_begins_at_a_multiple_of_64_bytes_after_a_line_feed()
    {
        using var file = new MemoryStream();
        NpyFile.Write(file, new NpyArray([2, 3], [1, 2, 3, 4, 5, 6]));
        byte[] bytes = file.ToArray();

        int start = bytes.Length - 24;
        Assert.Equal(0, start % 64);
        Assert.Equal((byte)'\n', bytes[start - 1]);
        Assert.StartsWith(NpyBytes.Header2X3, Encoding.ASCII.GetString(bytes, 10, start - 10), StringComparison.Ordinal);
    }

    [Fact]
    public void What_NumPy_writes_is_read()
    {
        NpyArray array = Read(NpyBytes.FromNumPy(1, 2, 3, 4, 5, 6));

        Assert.Equal([2, 3], array.Shape);
        Assert.Equal([1, 2, 3, 4, 5, 6], array.Data);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Each_version_is_read(byte major) => Assert.Equal([2, 3], Read(NpyBytes.File(NpyBytes.Header2X3, major: major)).Shape);

    [Theory]
    [InlineData("{'shape': (2, 3), 'fortran_order': False, 'descr': '<f4'}")]
    [InlineData("{\"fortran_order\":False,\"shape\":(2,3,),\"descr\":\"<f4\"}")]
    [InlineData("  { 'descr' : '<f4' , 'shape' : ( 2 , 3 ) , 'fortran_order' : False , }   ")]
    public void Keys_may_come_in_any_order_and_spacing(string header) => Assert.Equal([2, 3], Read(NpyBytes.File(header)).Shape);

    private static NpyArray Read(byte[] bytes)
    {
        using var file = new MemoryStream(bytes);
        return NpyFile.Read(file);
    }
}
