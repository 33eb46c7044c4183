// A program that uses Amazon ECR by the AWS SDK for Go: AWS's own types, paginators and errors.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

const (
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	configType   = "application/vnd.oci.image.config.v1+json"
	layerType    = "application/vnd.oci.image.layer.v1.tar"
)

type account struct {
	client *ecr.Client
	ctx    context.Context
}

// report is what the test reads from standard output.
type report struct {
	Made          string
	User          string
	Pages         int
	Names         []string
	Digest        string
	Manifest      string
	Failure       string
	MadeRecently  bool
	ExistsAlready bool
	TagIsTaken    bool
	LayerIsThere  bool
	NotFound      bool
	Message       string
}

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return value
}

func is[E error](err error) bool {
	var wanted E
	return errors.As(err, &wanted)
}

// upload sends bytes as one layer and returns their digest and the error of completing it.
func (a account) upload(repository string, content []byte) (string, error) {
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256(content))
	begun := must(a.client.InitiateLayerUpload(a.ctx, &ecr.InitiateLayerUploadInput{RepositoryName: &repository}))
	must(a.client.UploadLayerPart(a.ctx, &ecr.UploadLayerPartInput{
		RepositoryName: &repository,
		UploadId:       begun.UploadId,
		PartFirstByte:  aws.Int64(0),
		PartLastByte:   aws.Int64(int64(len(content)) - 1),
		LayerPartBlob:  content,
	}))
	_, err := a.client.CompleteLayerUpload(a.ctx, &ecr.CompleteLayerUploadInput{
		RepositoryName: &repository,
		UploadId:       begun.UploadId,
		LayerDigests:   []string{digest},
	})
	return digest, err
}

// put makes an image of one layer and returns the manifest and the error of naming it.
func (a account) put(repository, tag string, layer []byte) (string, error) {
	settings := []byte(`{"os":"linux","architecture":"amd64"}`)
	layerDigest := must(a.upload(repository, layer))
	settingsDigest, err := a.upload(repository, settings)
	if err != nil && !is[*types.LayerAlreadyExistsException](err) {
		return "", err
	}
	manifest := string(must(json.Marshal(map[string]any{
		"schemaVersion": 2,
		"mediaType":     manifestType,
		"config":        map[string]any{"mediaType": configType, "digest": settingsDigest, "size": len(settings)},
		"layers":        []any{map[string]any{"mediaType": layerType, "digest": layerDigest, "size": len(layer)}},
	})))
	_, err = a.client.PutImage(a.ctx, &ecr.PutImageInput{
		RepositoryName:         &repository,
		ImageTag:               &tag,
		ImageManifest:          &manifest,
		ImageManifestMediaType: aws.String(manifestType),
	})
	return manifest, err
}

func main() {
	ctx := context.Background()
	a := account{ecr.NewFromConfig(must(config.LoadDefaultConfig(ctx))), ctx}
	prefix := os.Args[1]
	var told report

	for _, name := range []string{"/a", "/b", "/c"} {
		made := must(a.client.CreateRepository(ctx, &ecr.CreateRepositoryInput{
			RepositoryName:     aws.String(prefix + name),
			ImageTagMutability: types.ImageTagMutabilityImmutable,
		}))
		told.Made = *made.Repository.RepositoryUri
		told.MadeRecently = time.Since(*made.Repository.CreatedAt).Abs() < time.Minute
	}
	repository := prefix + "/a"
	_, err := a.client.CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: &repository})
	told.ExistsAlready = is[*types.RepositoryAlreadyExistsException](err)

	pages := ecr.NewDescribeRepositoriesPaginator(a.client, &ecr.DescribeRepositoriesInput{MaxResults: aws.Int32(1)})
	for pages.HasMorePages() {
		told.Pages++
		for _, each := range must(pages.NextPage(ctx)).Repositories {
			if strings.HasPrefix(*each.RepositoryName, prefix) {
				told.Names = append(told.Names, *each.RepositoryName)
			}
		}
	}

	token := must(a.client.GetAuthorizationToken(ctx, &ecr.GetAuthorizationTokenInput{})).AuthorizationData[0]
	login := string(must(base64.StdEncoding.DecodeString(*token.AuthorizationToken)))
	told.User, _, _ = strings.Cut(login, ":")

	told.Manifest = must(a.put(repository, "v1", []byte("one layer")))
	_, err = a.put(repository, "v1", []byte("another layer"))
	told.TagIsTaken = is[*types.ImageTagAlreadyExistsException](err)
	_, err = a.upload(repository, []byte("one layer"))
	told.LayerIsThere = is[*types.LayerAlreadyExistsException](err)

	got := must(a.client.BatchGetImage(ctx, &ecr.BatchGetImageInput{
		RepositoryName: &repository,
		ImageIds:       []types.ImageIdentifier{{ImageTag: aws.String("v1")}, {ImageTag: aws.String("v2")}},
	}))
	told.Digest = *got.Images[0].ImageId.ImageDigest
	if *got.Images[0].ImageManifest != told.Manifest {
		told.Manifest = ""
	}
	told.Failure = string(got.Failures[0].FailureCode)

	for _, name := range told.Names {
		must(a.client.DeleteRepository(ctx, &ecr.DeleteRepositoryInput{RepositoryName: &name, Force: true}))
	}
	_, err = a.client.ListImages(ctx, &ecr.ListImagesInput{RepositoryName: &repository})
	var missing *types.RepositoryNotFoundException
	told.NotFound = errors.As(err, &missing)
	if told.NotFound {
		told.Message = missing.ErrorMessage()
	}
	must(os.Stdout.Write(must(json.Marshal(told))))
}
